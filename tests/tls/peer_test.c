/* SPDX-License-Identifier: Apache-2.0 */
/* Client certificates: the verdict in Postfix's words, and their names. */
#include "tls/peer.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "tls/facts.h"
#include "tls/fixture.h"
#include "tls/handles.h"
#include "tls/pki.h"

#define PEER "unknown[127.0.0.1]"

/* One key does for all: nobody looks at whose it is. */
static EVP_PKEY *key, *other_key;
static X509 *root, *intermediate, *lower, *lowest, *stranger, *expired_root;

static X509 *authority(const char *name, X509 *issuer, int end_days)
{
	return pki_issue(&(struct pki_request){.name.common_name = name,
	    .key = key,
	    .issuer = issuer,
	    .issuer_key = key,
	    .is_authority = true,
	    .begin_days = -10,
	    .end_days = end_days});
}

static void set_up(void)
{
	fixture_init();
	key = fixture_key("p256");
	other_key = fixture_key("p256");
	root = authority("Test Root CA", NULL, 30);
	intermediate = authority("Intermediate CA", root, 30);
	lower = authority("Lower CA", intermediate, 30);
	lowest = authority("Lowest CA", lower, 30);
	stranger = authority("Other CA", NULL, 30);
	expired_root = authority("Expired CA", NULL, -1);
}

static void tear_down(void)
{
	X509 *all[] = {
	    root, intermediate, lower, lowest, stranger, expired_root};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		X509_free(all[i]);
	EVP_PKEY_free(key);
	EVP_PKEY_free(other_key);
	fixture_fini();
}

TestSuite(peer, .init = set_up, .fini = tear_down);

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
#define VERSION_COUNT (sizeof(versions) / sizeof(versions[0]))

/* What the client sends: its own certificate, and issuers. */
struct identity {
	X509 *leaf; /* NULL: none */
	X509 *issuers[4];
};

static struct identity identity_of(const struct pki_request *request)
{
	struct pki_request copy = *request;

	if (copy.name.common_name == NULL && copy.name.organization == NULL)
		copy.name.common_name = "client.example.test";
	copy.key = other_key;
	copy.issuer_key = key;
	return (struct identity){.leaf = pki_issue(&copy)};
}

static SSL_CTX *client_ctx_of(int version, const struct identity *identity)
{
	SSL_CTX *ctx = fixture_client_ctx(version, version);

	if (identity->leaf == NULL)
		return ctx;
	cr_assert_eq(SSL_CTX_use_certificate(ctx, identity->leaf), 1);
	cr_assert_eq(SSL_CTX_use_PrivateKey(ctx, other_key), 1);
	for (size_t i = 0; i < 4 && identity->issuers[i] != NULL; i++)
		SSL_CTX_add1_chain_cert(ctx, identity->issuers[i]);
	return ctx;
}

/* Asks for certificates, and trusts root and expired_root. */
static struct tls_context_options asking_options(void)
{
	X509 *const anchors[] = {root, expired_root};
	struct tls_context_options options =
	    fixture_options(fixture_chain("p256"));

	options.peer = (struct tls_peer_options){
	    .smtpd_tls_ask_ccert = true,
	    .smtpd_tls_CAfile = pki_write("roots.pem", anchors, 2),
	    .smtpd_tls_ccert_verifydepth = 9,
	};
	return options;
}

static struct tls_context *create(const struct tls_context_options *options)
{
	struct tls_context *context =
	    tls_context_create(options, &fixture_report);

	cr_assert_not_null(context, "%s", fixture_findings);
	return context;
}

/* A handshake of such a client, which must succeed. */
static void shake_hands(struct link *link, struct tls_context *context,
    int version, const struct identity *identity)
{
	SSL_CTX *client_ctx = client_ctx_of(version, identity);

	link_open(link, context, client_ctx);
	cr_assert(link_handshake(link), "%s",
	    tls_session_library_errors(link->server));
	SSL_CTX_free(client_ctx);
}

static void expect(const char *what, int depth_max,
    const struct identity *identity, enum tls_trust trust, const char *line)
{
	struct tls_context_options options = asking_options();
	struct tls_context *context;

	options.peer.smtpd_tls_ccert_verifydepth = depth_max;
	context = create(&options);
	for (size_t v = 0; v < VERSION_COUNT; v++) {
		struct link link;
		struct tls_facts facts;
		char found[512];
		size_t len;

		shake_hands(&link, context, versions[v], identity);
		tls_facts_read(link.server, &facts);
		len = tls_peer_verdict_line(
		    link.server, PEER, found, sizeof(found));
		cr_expect_eq(facts.trust, trust, "%s: %s", what,
		    tls_trust_word(facts.trust));
		cr_expect_str_eq(found, line, "%s", what);
		cr_expect_eq(len, strlen(line), "%s", what);
		link_close(&link);
	}
	tls_context_destroy(&context);
}

Test(peer, verdicts_on_one_certificate)
{
	const struct {
		const char *what;
		struct pki_request request;
		enum tls_trust trust;
		const char *line;
	} rows[] = {
	    {"good", {.issuer = root}, TLS_TRUSTED, ""},
	    {"with the usage", {.issuer = root, .usage = "clientAuth"},
		TLS_TRUSTED, ""},
	    {"self-signed", {.issuer = NULL}, TLS_UNTRUSTED,
		"certificate verification failed for " PEER
		": self-signed certificate"},
	    {"unknown issuer", {.issuer = stranger}, TLS_UNTRUSTED,
		"certificate verification failed for " PEER
		": untrusted issuer /CN=Other CA"},
	    {"expired", {.issuer = root, .begin_days = -9, .end_days = -2},
		TLS_UNTRUSTED,
		"client certificate verification failed for " PEER
		": certificate has expired"},
	    {"too early", {.issuer = root, .begin_days = 2, .end_days = 9},
		TLS_UNTRUSTED,
		"client certificate verification failed for " PEER
		": certificate not yet valid"},
	    {"purpose", {.issuer = root, .usage = "serverAuth"}, TLS_UNTRUSTED,
		"certificate verification failed for " PEER
		": not designated for use as a client certificate"},
	    {"expired issuer", {.issuer = expired_root}, TLS_UNTRUSTED,
		"CA certificate verification failed for " PEER
		": certificate has expired"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct identity identity = identity_of(&rows[i].request);

		expect(rows[i].what, 9, &identity, rows[i].trust, rows[i].line);
		X509_free(identity.leaf);
	}
}

Test(peer, no_certificate)
{
	const struct identity none = {0};

	expect("none", 9, &none, TLS_ANONYMOUS, "");
}

/* Neither the anchor counts nor the client's own, and there may be one more
 * than the parameter says, which the message counts: so does Postfix. */
Test(peer, length_of_the_chain)
{
	static const struct {
		unsigned issuer_count;
		int depth_max;
		bool is_trusted;
	} rows[] = {
	    {0, 0, true},
	    {1, 0, true},
	    {2, 0, false},
	    {2, 1, true},
	    {3, 0, false},
	    {3, 1, false},
	    {3, 2, true},
	    {3, 9, true},
	};
	X509 *const issuers[] = {intermediate, lower, lowest};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned count = rows[i].issuer_count;
		struct identity identity = identity_of(&(struct pki_request){
		    .issuer = count > 0 ? issuers[count - 1] : root});
		char line[128] = "";

		for (unsigned j = 0; j < count; j++)
			identity.issuers[j] = issuers[j];
		if (!rows[i].is_trusted)
			snprintf(line, sizeof(line),
			    "certificate verification failed for " PEER
			    ": certificate chain longer than limit(%d)",
			    rows[i].depth_max + 1);
		expect("chain", rows[i].depth_max, &identity,
		    rows[i].is_trusted ? TLS_TRUSTED : TLS_UNTRUSTED, line);
		X509_free(identity.leaf);
	}
}

/* A client that has a certificate is not asked for it, unless. */
Test(peer, is_asked)
{
	static const struct {
		bool ask, require, enforced;
		bool is_asked;
		int level;
		const char *findings;
	} rows[] = {
	    {false, false, false, false, 0, ""},
	    {true, false, false, true, 0, ""},
	    {false, true, true, true, 1, ""},
	    {true, true, true, true, 1, ""},
	    {true, false, true, true, 0, ""},
	    {false, true, false, false, 0,
		"warning smtpd_tls_req_ccert: Can't require client certs "
		"unless TLS is required: is ignored; smtpd_tls_security_level "
		"must be encrypt, or smtpd_tls_wrappermode yes\n"},
	};
	struct identity identity =
	    identity_of(&(struct pki_request){.issuer = root});

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tls_context_options options = asking_options();
		struct tls_context *context;

		options.peer.smtpd_tls_ask_ccert = rows[i].ask;
		options.peer.smtpd_tls_req_ccert = rows[i].require;
		options.peer.is_tls_enforced = rows[i].enforced;
		fixture_findings[0] = '\0';
		context = create(&options);
		cr_expect_str_eq(fixture_findings, rows[i].findings);
		for (size_t v = 0; v < VERSION_COUNT; v++) {
			struct link link;
			struct tls_facts facts;

			shake_hands(&link, context, versions[v], &identity);
			tls_facts_read(link.server, &facts);
			cr_expect_eq(facts.trust,
			    rows[i].is_asked ? TLS_TRUSTED : TLS_ANONYMOUS);
			cr_expect_eq(SSL_get_security_level(
					 tls_session_handle(link.server)),
			    rows[i].level);
			link_close(&link);
		}
		tls_context_destroy(&context);
	}
	X509_free(identity.leaf);
}

static void expect_names(const char *ca_file, const char *ca_path,
    const char *const *names, int count)
{
	struct tls_context_options options = asking_options();
	struct tls_context *context;
	const struct identity none = {0};
	const STACK_OF(X509_NAME) * sent;
	struct link link;

	options.peer.smtpd_tls_CAfile = ca_file;
	options.peer.smtpd_tls_CApath = ca_path;
	context = create(&options);
	shake_hands(&link, context, TLS1_2_VERSION, &none);
	sent = SSL_get_client_CA_list(link.client);
	cr_expect_eq(sk_X509_NAME_num(sent), count);
	for (int i = 0; i < count && i < sk_X509_NAME_num(sent); i++) {
		char text[64];

		X509_NAME_oneline(
		    sk_X509_NAME_value(sent, i), text, sizeof(text));
		cr_expect_str_eq(text, names[i]);
	}
	link_close(&link);
	tls_context_destroy(&context);
}

/* The anchors in CAfile are named to the client, and each only once. */
Test(peer, names_of_authorities)
{
	static const char *const names[] = {"/CN=Test Root CA", "/CN=Other CA"};
	X509 *const anchors[] = {root, stranger, root};
	const char *file = pki_write("anchors.pem", anchors, 3);

	expect_names(file, "", names, 2);
	expect_names("", "", NULL, 0);
}

static const char *make_directory(void)
{
	const char *directory = fixture_path("hashed");

	cr_assert_eq(mkdir(directory, 0755), 0);
	return directory;
}

static void remove_directory(const char *directory, const char *const *names)
{
	char path[600];

	for (; *names != NULL; names++) {
		snprintf(path, sizeof(path), "%s/%s", directory, *names);
		unlink(path);
	}
	cr_assert_eq(rmdir(directory), 0);
}

/* All of CApath is read at once: workers can open no files. */
Test(peer, hashed_directory)
{
	static const char *const names[] = {
	    "0a1b2c3d.0", "0a1b2c3d.1", "README", "0a1b2c3d.r0", NULL};
	struct tls_context_options options = asking_options();
	const char *directory = make_directory();
	struct tls_context *context;
	struct identity identity =
	    identity_of(&(struct pki_request){.issuer = root});
	struct tls_facts facts;
	struct link link;

	pki_write("hashed/0a1b2c3d.0", &stranger, 1);
	pki_write("hashed/0a1b2c3d.1", &root, 1);
	fixture_text("hashed/README", "not read\n");
	fixture_text("hashed/0a1b2c3d.r0", "not read\n");
	options.peer.smtpd_tls_CAfile = "";
	options.peer.smtpd_tls_CApath = directory;
	context = create(&options);
	cr_expect_str_eq(fixture_findings, "");
	remove_directory(directory, names);
	shake_hands(&link, context, TLS1_3_VERSION, &identity);
	tls_facts_read(link.server, &facts);
	cr_expect_eq(facts.trust, TLS_TRUSTED);
	cr_expect_eq(sk_X509_NAME_num(SSL_get0_peer_CA_list(link.client)), -1);
	link_close(&link);
	tls_context_destroy(&context);
	X509_free(identity.leaf);
}

Test(peer, wrong_options)
{
	const char *text = fixture_text("text", "no PEM\n");
	const char *directory = make_directory();
	static const char *const none[] = {NULL};
	const struct {
		const char *file, *path, *digest;
		bool append, is_certificateless;
		const char *finding;
	} rows[] = {
	    {"/nonexistent", "", "", false, false,
		"error smtpd_tls_CAfile: \"/nonexistent\": No such file or "
		"directory; must be a PEM file with certificates\n"},
	    {text, "", "", false, false, "it holds no certificate; must be"},
	    {"", "/nonexistent", "", false, false,
		"error smtpd_tls_CApath: \"/nonexistent\": No such file or "
		"directory; must be a directory that can be read\n"},
	    {"", directory, "", false, false,
		"must be prepared by \"openssl rehash\""},
	    {"", "", "sha257", false, false,
		"error smtpd_tls_fingerprint_digest: \"sha257\" is no message "
		"digest that OpenSSL"},
	    {"", "", "", true, false,
		"warning tls_append_default_CA: has no effect unless "
		"smtpd_tls_CAfile or smtpd_tls_CApath is set\n"},
	    {"", "", "", false, true,
		"error smtpd_tls_ask_ccert: Need a server cert to request "
		"client certs: smtpd_tls_cert_file must be a PEM file\n"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tls_context_options options = asking_options();
		struct tls_context *context;

		options.peer.smtpd_tls_CAfile = rows[i].file;
		options.peer.smtpd_tls_CApath = rows[i].path;
		options.peer.smtpd_tls_fingerprint_digest = rows[i].digest;
		options.peer.tls_append_default_CA = rows[i].append;
		if (rows[i].is_certificateless) {
			options.smtpd_tls_chain_files = "";
			options.smtpd_tls_cert_file = "none";
		}
		fixture_findings[0] = '\0';
		context = tls_context_create(&options, &fixture_report);
		cr_expect_eq(context == NULL,
		    strstr(fixture_findings, "error ") != NULL);
		cr_expect_not_null(strstr(fixture_findings, rows[i].finding),
		    "%s", fixture_findings);
		tls_context_destroy(&context);
	}
	remove_directory(directory, none);
}

/* Made once with openssl(1), which also tells its fingerprints. */
static const char fixed[] =
    "-----BEGIN EC PRIVATE KEY-----\n"
    "MHcCAQEEIOe8RRD7zWdJz8V3/MO1RmwOcUGiYIB5gWNl1jowRNgloAoGCCqGSM49\n"
    "AwEHoUQDQgAEp6qjMwIAj+XQLIxscPAwWgAFfxw/VaEOBVt9YOqDSh3hntm6jAh1\n"
    "Xms2OzsaQZXEAu5yQJSS6XiKYW+dtijUJQ==\n"
    "-----END EC PRIVATE KEY-----\n"
    "-----BEGIN CERTIFICATE-----\n"
    "MIIB1jCCAXygAwIBAgIUHu4Zuswlhnau/eerCcWsiqM6xR4wCgYIKoZIzj0EAwIw\n"
    "NTEQMA4GA1UECgwHRXhhbXBsZTEhMB8GA1UEAwwYY2xpZW50IChlYykuZXhhbXBs\n"
    "ZS50ZXN0MCAXDTI2MTEyMzE2NTQzMloYDzIxMjYxMDMwMTY1NDMyWjA1MRAwDgYD\n"
    "VQQKDAdFeGFtcGxlMSEwHwYDVQQDDBhjbGllbnQgKGVjKS5leGFtcGxlLnRlc3Qw\n"
    "WTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASnqqMzAgCP5dAsjGxw8DBaAAV/HD9V\n"
    "oQ4FW31g6oNKHeGe2bqMCHVeazY7OxpBlcQC7nJAlJLpeIphb522KNQlo2gwZjAd\n"
    "BgNVHQ4EFgQUBO3l6PJXDVIU4DWHlGmeRtjUFsswHwYDVR0jBBgwFoAUBO3l6PJX\n"
    "DVIU4DWHlGmeRtjUFsswDwYDVR0TAQH/BAUwAwEB/zATBgNVHSUEDDAKBggrBgEF\n"
    "BQcDAjAKBggqhkjOPQQDAgNIADBFAiA40XoesEYmB+Yu6Ig2qmtotzuteu8K7ALn\n"
    "Zhfpchz8CgIhAKN4an7iUEPPcJE52FMXtxwa+Q+8uH/N5ZzuYmetmkLW\n"
    "-----END CERTIFICATE-----\n";

Test(peer, line)
{
	static const struct {
		const char *digest, *line;
	} rows[] = {
	    {"md5",
		PEER ": subject_CN=client (ec).example.test, issuer=client "
		     "(ec).example.test, fingerprint=9C:24:D4:C8:69:EE:28:A6:"
		     "1C:40:6B:E8:BD:5D:03:EF, pkey_fingerprint=E1:32:DF:70:99:"
		     "D3:06:B4:BB:EC:D2:B4:D2:3D:88:24"},
	    {"",
		PEER ": subject_CN=client (ec).example.test, issuer=client "
		     "(ec).example.test, fingerprint=4F:37:F5:7A:7C:7B:7E:05:"
		     "8A:59:D2:0F:67:49:4F:14:25:A4:A7:27:57:27:90:27:9B:F4:0D:"
		     "8A:FB:ED:CE:79, pkey_fingerprint=82:45:72:E2:8D:A7:E2:28:"
		     "1B:65:B7:47:E5:9F:FD:D3:A0:73:E3:F8:3B:20:0D:38:BB:B2:F8:"
		     "D8:26:F8:68:D8"},
	};
	const char *path = fixture_text("fixed.pem", fixed);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tls_context_options options = asking_options();
		SSL_CTX *client_ctx = fixture_client_ctx(0, 0);
		struct tls_context *context;
		struct tls_peer peer;
		struct link link;
		char line[512];

		options.peer.smtpd_tls_fingerprint_digest = rows[i].digest;
		context = create(&options);
		cr_assert_eq(
		    SSL_CTX_use_certificate_chain_file(client_ctx, path), 1);
		cr_assert_eq(SSL_CTX_use_PrivateKey_file(
				 client_ctx, path, SSL_FILETYPE_PEM),
		    1);
		link_open(&link, context, client_ctx);
		cr_assert(link_handshake(&link));
		tls_peer_read(link.server, &peer);
		cr_expect(peer.is_present);
		cr_expect_eq(tls_peer_line(&peer, PEER, line, sizeof(line)),
		    strlen(rows[i].line));
		cr_expect_str_eq(line, rows[i].line);
		cr_expect_eq(tls_peer_line(&peer, PEER, line, 9), 8);
		cr_expect_str_eq(line, "unknown[");
		link_close(&link);
		tls_context_destroy(&context);
		SSL_CTX_free(client_ctx);
	}
}

#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A252        \
	A64 A64 A64 \
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* A name that could pass for another, or upset a log, is none. */
Test(peer, names)
{
	static const struct {
		struct pki_name name;
		const char *common_name, *issuer_name;
	} rows[] = {
	    {{"a.test", 0, NULL}, "a.test", "a.test"},
	    {{"a.test", 0, "Org"}, "a.test", "a.test"},
	    {{NULL, 0, "Org"}, "", "Org"},
	    {{"a\xc3\xa9", 0, NULL}, "a\xc3\xa9", "a\xc3\xa9"},
	    {{"a.test\0.evil.test", 17, NULL}, "", ""},
	    {{"a.test\0\0", 8, NULL}, "a.test", "a.test"},
	    {{"a\r\nb", 0, "Org"}, "", "Org"},
	    {{"a\x1b[2J", 0, NULL}, "", ""},
	    {{A252 "bbb", 0, NULL}, A252 "bbb", A252 "bbb"},
	    {{A252 "bbbb", 0, NULL}, "", ""},
	    {{"a\" (b", 0, NULL}, "a\" (b", "a\" (b"},
	};
	struct tls_context_options options = asking_options();
	struct tls_context *context = create(&options);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct identity identity =
		    identity_of(&(struct pki_request){.name = rows[i].name});
		struct tls_peer peer;
		struct link link;

		shake_hands(&link, context, TLS1_3_VERSION, &identity);
		tls_peer_read(link.server, &peer);
		cr_expect_str_eq(peer.subject_cn, rows[i].common_name);
		cr_expect_str_eq(peer.issuer_name, rows[i].issuer_name);
		link_close(&link);
		X509_free(identity.leaf);
	}
	tls_context_destroy(&context);
}

Test(peer, none_was_sent)
{
	struct tls_context *context = fixture_context(fixture_chain("p256"));
	const struct identity none = {0};
	struct tls_peer peer;
	struct link link;

	shake_hands(&link, context, TLS1_3_VERSION, &none);
	tls_peer_read(link.server, &peer);
	cr_expect_not(peer.is_present);
	cr_expect_str_eq(peer.subject_cn, "");
	cr_expect_str_eq(peer.fingerprint, "");
	link_close(&link);
	tls_context_destroy(&context);
}

/* The issuer's name in a verdict is the peer's text, too. */
Test(peer, verdict_is_printable)
{
	X509 *odd = authority("a\r\nwarning: forged", NULL, 30);
	struct identity identity =
	    identity_of(&(struct pki_request){.issuer = odd});

	expect("odd", 9, &identity, TLS_UNTRUSTED,
	    "certificate verification failed for " PEER
	    ": untrusted issuer /CN=a\\x0D\\x0Awarning: forged");
	X509_free(identity.leaf);
	X509_free(odd);
}

Test(peer, comment)
{
	static const struct {
		const char *name, *comment;
	} rows[] = {
	    {"", ""},
	    {"client (ec).example.test", "client (ec).example.test"},
	    {"a(b", "a(b)"},
	    {"a)b", "a?b"},
	    {")(", "?()"},
	    {"((a)", "((a))"},
	    {"a\\b\"c", "a?b\"c"},
	    {"\xc3\xa9\t\x7f~ ", "????~ "},
	};
	char out[64];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = tls_peer_comment(rows[i].name, out, sizeof(out));

		cr_expect_str_eq(out, rows[i].comment);
		cr_expect_eq(len, strlen(rows[i].comment));
	}
	/* However little room there is, it is a whole comment. */
	for (size_t size = 1; size < 12; size++) {
		int level = 0;
		size_t len = tls_peer_comment("a(b(c)d(e", out, size);

		cr_expect_lt(len, size);
		cr_expect_eq(len, strlen(out));
		for (const char *at = out; *at != '\0'; at++)
			level += (*at == '(') - (*at == ')');
		cr_expect_eq(level, 0, "%s", out);
	}
}
