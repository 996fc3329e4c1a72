/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/verb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "conf/configuration.h"
#include "proxy/advice.h"
#include "proxy/cipher_report.h"
#include "proxy/dhparam.h"
#include "proxy/findings.h"
#include "proxy/pid_file.h"
#include "proxy/privileges.h"
#include "proxy/probe.h"
#include "proxy/relay_check.h"
#include "proxy/service.h"
#include "proxy/trial.h"
#include "proxy/verb_daemon.h"
#include "proxy/worker.h"
#include "tls/context.h"

static const char help[] =
    "usage: postern [-c config_directory] [-v] start-fg | start | stop |\n"
    "               reload | status | check [--backends]\n"
    "       postern conf [-c config_directory] [-n | -d | -M | -P] [-x]\n"
    "               [name ...]\n"
    "       postern ciphers [-c config_directory] [service]\n"
    "       postern dhparam [--bits N] [--allow-weak] file\n"
    "       postern report [--format text|json|html] [--since TIME]\n"
    "               [--until TIME] file ...\n"
    "       postern top [-c config_directory] [--once [--json]]\n"
    "               [--sort sessions|bytes|messages|age] [--filter TEXT]\n"
    "       postern probe [--all] [--json] [-4 | -6] [--wrappermode]\n"
    "               [--level LEVEL] [--CAfile FILE] [...] HOST[:PORT] "
    "[name ...]\n"
    "       postern --help | --version\n"
    "\n"
    "  start-fg  run in the foreground until SIGTERM or Ctrl-C\n"
    "  start     run in the background; returns when the workers run\n"
    "  stop      end sessions in order, then all processes\n"
    "  reload    take a changed configuration into use; on an error the old\n"
    "            one serves on\n"
    "  status    what runs, and what it has counted\n"
    "  check     say what is wrong with the configuration; start nothing;\n"
    "            --backends: see whether strangers could relay through them\n"
    "  conf      print parameters: all, -n those set in main.cf, -d their\n"
    "            defaults, -M the lines of master.cf, -P their overrides,\n"
    "            -x with $name expanded\n"
    "  ciphers   what each listener negotiates, in its order: suites, groups,\n"
    "            the prime of EDH, certificates\n"
    "  dhparam   make a prime for smtpd_tls_dh1024_param_file, of 2048 bits "
    "or\n"
    "            of N, and put it into the file; --allow-weak lets N be less\n"
    "  top       what goes on: rates, groups, forward secrecy, backends, the\n"
    "            busiest clients; q ends it\n"
    "  report    what the records of sessions in log files, also compressed,\n"
    "            say of forward secrecy; - is standard input\n"
    "  probe     what TLS a mail server does: the line of Postfix's log, its\n"
    "            certificate, forward secrecy, resumption; --all: versions,\n"
    "            suites, groups and certificates that it has. See postern(8)\n"
    "\n"
    "  -c        where main.cf and master.cf are (" COMMAND_LINE_DIRECTORY ")\n"
    "  -v        log more\n";

/* The end of a verb that looks at the configuration. */
static int finish_report(struct services *services, struct report *report)
{
	int status = report->error_count == 0 ? EXIT_SUCCESS : EXIT_FAILURE;

	services_destroy(&services);
	fflush(stdout);
	findings_print(report, 0, stderr);
	report_finish(report);
	return status;
}

static int check(const struct command_line *line)
{
	struct privileges privileges;
	struct services *services;
	struct report report;

	report_init(&report);
	services = services_load(line->directory, NULL, &report);
	if (services != NULL) {
		const struct settings *settings =
		    services->configuration->settings;

		advice_give(services, time(NULL), &report);
		pid_file_check_directory(
		    settings->proxy_runtime_directory, &report);
		if (privileges_find(&privileges, settings, &report))
			trial_ring(&privileges, &report);
		if (line->backends && report.error_count == 0)
			relay_check_run(services, stdout, &report);
	}
	return finish_report(services, &report);
}

static int print_conf(const struct command_line *line)
{
	struct report report;
	bool done;

	report_init(&report);
	done = print_configuration(stdout, line->directory, line->print,
	    line->expand, line->names, line->name_count, &report);
	fflush(stdout);
	findings_print(&report, 0, stderr);
	report_finish(&report);
	return done ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int print_ciphers(const struct command_line *line)
{
	const char *service = line->name_count == 0 ? NULL : line->names[0];
	struct services *services;
	struct report report;

	report_init(&report);
	services = services_load(line->directory, NULL, &report);
	if (services != NULL && !cipher_report_print(stdout, services, service))
		report_add(&report, REPORT_ERROR, NULL,
		    "no line of master.cf with the command smtpd has the "
		    "service \"%s\"",
		    service == NULL ? "" : service);
	return finish_report(services, &report);
}

static int make_prime(const struct command_line *line)
{
	struct dhparam_options options = {
	    .bits = line->bits == 0 ? DHPARAM_BITS_DEFAULT : (int)line->bits,
	    .allow_weak = line->allow_weak,
	    .path = line->names[0],
	};

	return dhparam_run(&options);
}

static int print_version(void)
{
	printf("postern %s\n%s\nliburing %s\n", POSTERN_VERSION,
	    tls_library_version(), worker_liburing_version());
	return EXIT_SUCCESS;
}

int verb_run(const struct command_line *line)
{
	switch (line->verb) {
	case VERB_START_FG:
		return verb_start_fg(line);
	case VERB_START:
		return verb_start(line);
	case VERB_STOP:
		return verb_stop(line);
	case VERB_RELOAD:
		return verb_reload(line);
	case VERB_STATUS:
		return verb_status(line);
	case VERB_CHECK:
		return check(line);
	case VERB_CONF:
		return print_conf(line);
	case VERB_CIPHERS:
		return print_ciphers(line);
	case VERB_DHPARAM:
		return make_prime(line);
	case VERB_TOP:
		return verb_top(line);
	case VERB_REPORT:
		return session_report_run(&line->report);
	case VERB_PROBE:
		return probe_run(&line->probe);
	case VERB_HELP:
		fputs(help, stdout);
		return EXIT_SUCCESS;
	case VERB_VERSION:
		return print_version();
	}
	return EXIT_FAILURE;
}
