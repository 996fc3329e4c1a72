/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/certificate_text.h"

#include <string.h>
#include <time.h>

#include <openssl/x509v3.h>

/* Into a text of limited size, from a memory BIO. */
static void copy_out(BIO *memory, char *out, size_t out_size)
{
	char *bytes;
	long len = BIO_get_mem_data(memory, &bytes);

	if (len < 0 || (size_t)len >= out_size)
		len = (long)out_size - 1;
	if (len > 0) /* an empty one has no bytes to point at */
		memcpy(out, bytes, (size_t)len);
	out[len] = '\0';
}

void tls_certificate_name(const X509_NAME *name, char *out, size_t out_size)
{
	BIO *memory = BIO_new(BIO_s_mem());

	out[0] = '\0';
	if (memory != NULL && X509_NAME_print_ex(memory, name, 0,
				  XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0)
		copy_out(memory, out, out_size);
	BIO_free(memory);
}

static void append_name(BIO *memory, const GENERAL_NAME *name)
{
	int type;
	const ASN1_STRING *text = GENERAL_NAME_get0_value(name, &type);
	const unsigned char *bytes;

	if (type != GEN_DNS && type != GEN_IPADD)
		return;
	if (BIO_number_written(memory) > 0)
		BIO_puts(memory, ", ");
	bytes = ASN1_STRING_get0_data(text);
	if (type == GEN_DNS) {
		ASN1_STRING_print(memory, text);
		return;
	}
	for (int i = 0; i < ASN1_STRING_length(text); i++)
		BIO_printf(memory,
		    ASN1_STRING_length(text) == 4 ? "%s%d" : "%s%02x",
		    i == 0			    ? ""
		    : ASN1_STRING_length(text) == 4 ? "."
		    : i % 2 == 0		    ? ":"
						    : "",
		    bytes[i]);
}

void tls_certificate_names(X509 *certificate, char *out, size_t out_size)
{
	GENERAL_NAMES *names =
	    X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	BIO *memory = BIO_new(BIO_s_mem());

	out[0] = '\0';
	if (memory != NULL) {
		for (int i = 0; i < sk_GENERAL_NAME_num(names); i++)
			append_name(memory, sk_GENERAL_NAME_value(names, i));
		copy_out(memory, out, out_size);
	}
	BIO_free(memory);
	GENERAL_NAMES_free(names);
}

int64_t tls_certificate_time(const ASN1_TIME *time)
{
	struct tm parts;

	return ASN1_TIME_to_tm(time, &parts) == 1 ? timegm(&parts) : 0;
}
