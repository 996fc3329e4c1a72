#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Who may include whom, and how long things may be. Prints TAP.
set -u
cd "$(dirname "$0")/.." || exit 1

number=0
bad=0

# check NAME OFFENDERS: passes when the list of offenders is empty.
check() {
	number=$((number + 1))
	if [ -z "$2" ]; then
		printf 'ok %d - %s\n' "$number" "$1"
		return
	fi
	bad=$((bad + 1))
	printf 'not ok %d - %s: %s\n' "$number" "$1" "${2//$'\n'/, }"
}

# included PATTERN FOLDER…: FILE:LINE of each include that matches.
included() {
	local pattern=$1
	shift
	grep -rnE "^[[:space:]]*#[[:space:]]*include[[:space:]]+$pattern" \
		--include='*.[ch]' --include='*.def' "$@" 2>/dev/null
}

for leaf in smtp tls conf; do
	check "$leaf/ includes nothing of the project but itself" \
		"$(included '"' "$leaf" | grep -v "\"$leaf/")"
done
check 'includes are written from the root' \
	"$(included '"' smtp tls conf proxy bench | grep -vE '"[a-z_]+/[^".]')"
check 'only tls/ includes OpenSSL' \
	"$(included '<openssl/' smtp conf proxy)"
check 'only http includes libmicrohttpd' \
	"$(included '<microhttpd' smtp tls conf proxy | grep -vE '^proxy/http[a-z_]*\.[ch]:')"
check 'only the ring of a worker includes liburing' \
	"$(included '<liburing' smtp tls conf proxy |
		grep -vE '^proxy/(ring|worker)[a-z_]*\.[ch]:')"

# The benchmarks measure what is installed: postern-bench knows nothing of the
# project, and handshake_cost and limit know the leaf that they time.
check 'bench/ includes nothing of the project but itself, and leaves in two' \
	"$(included '"' bench | grep -v '"bench/' |
		grep -vE '^bench/(handshake_cost|limit[a-z_]*)\.[ch]:.*"tls/')"
check 'only the TLS parts of bench/ include OpenSSL' \
	"$(included '<openssl/' bench |
		grep -vE '^bench/(tls_client|handshake_cost|limit[a-z_]*)\.[ch]:')"
check 'only the rings of bench/ include liburing' \
	"$(included '<liburing' bench | grep -vE '^bench/ring_[a-z_]*\.[ch]:')"

# Braces in column 0 open and close a function.
function_lengths() {
	awk -v limit="$1" '
		/^\{/ { start = FNR }
		/^\}/ && start {
			if (FNR - start + 1 > limit)
				print FILENAME ":" start " has " FNR - start + 1 " lines"
			start = 0
		}' "${sources[@]}"
}

file_lengths() {
	local file lines
	for file in "${sources[@]}"; do
		lines=$(wc -l <"$file")
		[ "$lines" -le 500 ] || printf '%s has %d lines\n' "$file" "$lines"
	done
}

mapfile -t sources < <(find smtp tls conf proxy bench -name '*.[ch]' | sort)
check 'a function has at most 70 lines' "$(function_lengths 70)"
check 'a file has at most 500 lines' "$(file_lengths)"
check 'each header guards itself' "$(find smtp tls conf proxy bench -name '*.h' \
	-exec grep -L '^#ifndef POSTERN_' {} +)"

# unnamed MACROS FILE: the first argument of each row, where README.md has no table
# row for it.
unnamed() {
	sed -nE "s/^($1)\\(([A-Za-z0-9_]+),.*/\\2/p" "$2" |
		while IFS= read -r name; do
			[ "$name" = NONE ] || grep -q "^| \`$name\`" README.md ||
				printf '%s\n' "$name"
		done
}

check 'the README has each metric' \
	"$(unnamed 'COUNTER|GAUGE|HISTOGRAM|ROWS|COMPUTED' proxy/metrics.def)"
check 'the README has each reason' \
	"$(unnamed CLOSE_REASON proxy/close_reason.def)"

printf '1..%d\n' "$number"
[ "$bad" -eq 0 ]
