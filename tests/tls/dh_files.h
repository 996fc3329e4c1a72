/* SPDX-License-Identifier: Apache-2.0 */
/* DH parameters, sound and not, as files have them. */
#ifndef POSTERN_TESTS_TLS_DH_FILES_H
#define POSTERN_TESTS_TLS_DH_FILES_H

/* A safe prime of our own */
#define DH_OWN_2048                                                          \
	"-----BEGIN DH PARAMETERS-----\n"                                    \
	"MIIBCAKCAQEA3665NwzEnbZbvgw0kVXTY67nSkdr6uKhD05q2rdSAfnLuUPwafGo\n" \
	"Jbt/9YUAXk4l2lahxo0rq+W1zrXjCorMZ4RUvO85CzULIXs9dwUWXYPyQnjq6PlF\n" \
	"hgbUKhBlz1hVn/M2AJF/pkV5RH+MtZ/nZsAp3OLlNlk9em4VTq+2BGkGiHYbxzjh\n" \
	"iLMmKicAlbjI5IigUkyzrU093qNC1uFQuTmJ5f4Zwp8MrorLEQF964pHUFLQNfD+\n" \
	"qT2ViNN3vUbL/hju94fEUVYFr5dF2ntcDlXemThgdDL/3DTjl6mG65TcL9HBydKB\n" \
	"UKvNOiW7ZDfBkGWQHL1laj+UVU6yrfI8twIBAg==\n"                         \
	"-----END DH PARAMETERS-----\n"

/* The same, shorter */
#define DH_OWN_1024                                                          \
	"-----BEGIN DH PARAMETERS-----\n"                                    \
	"MIGHAoGBAL9i5bDNuTmhBL0h0WH1v8JeELKfSjpAs5O7ugponr0tp8U1IV3jedlk\n" \
	"2lCbAPLU8fd7HGhZertv145LSBJ8iOA2C88lvpikIXVmWjC8g4XKDPubUY7PCCDI\n" \
	"t369IKmd/i+kPX/tY3FpanHP+lCM2rTAMersLykYkL3SolvX4RHHAgEC\n"         \
	"-----END DH PARAMETERS-----\n"

/* And too short for OpenSSL */
#define DH_OWN_768                                                           \
	"-----BEGIN DH PARAMETERS-----\n"                                    \
	"MGYCYQDdQWlW2QYwvBAqfSOnOnxY9vtbX/tJtwqD3QC2B8YxhE1rTyq3pM0HI1Ti\n" \
	"YyIsn4ocwQ3/ozmf6uqdxTz7j09rueD1vGoKuUfD87LZbwDht4j93azOJ5Gs4fnA\n" \
	"is4soV8CAQI=\n"                                                     \
	"-----END DH PARAMETERS-----\n"

/* The safe prime, with a generator that generates nothing */
#define DH_GENERATOR_1                                                       \
	"-----BEGIN DH PARAMETERS-----\n"                                    \
	"MIIBCAKCAQEA3665NwzEnbZbvgw0kVXTY67nSkdr6uKhD05q2rdSAfnLuUPwafGo\n" \
	"Jbt/9YUAXk4l2lahxo0rq+W1zrXjCorMZ4RUvO85CzULIXs9dwUWXYPyQnjq6PlF\n" \
	"hgbUKhBlz1hVn/M2AJF/pkV5RH+MtZ/nZsAp3OLlNlk9em4VTq+2BGkGiHYbxzjh\n" \
	"iLMmKicAlbjI5IigUkyzrU093qNC1uFQuTmJ5f4Zwp8MrorLEQF964pHUFLQNfD+\n" \
	"qT2ViNN3vUbL/hju94fEUVYFr5dF2ntcDlXemThgdDL/3DTjl6mG65TcL9HBydKB\n" \
	"UKvNOiW7ZDfBkGWQHL1laj+UVU6yrfI8twIBAQ==\n"                         \
	"-----END DH PARAMETERS-----\n"

/* And with p-1, of order 2 */
#define DH_GENERATOR_LAST                                                    \
	"-----BEGIN DH PARAMETERS-----\n"                                    \
	"MIICCgKCAQEA3665NwzEnbZbvgw0kVXTY67nSkdr6uKhD05q2rdSAfnLuUPwafGo\n" \
	"Jbt/9YUAXk4l2lahxo0rq+W1zrXjCorMZ4RUvO85CzULIXs9dwUWXYPyQnjq6PlF\n" \
	"hgbUKhBlz1hVn/M2AJF/pkV5RH+MtZ/nZsAp3OLlNlk9em4VTq+2BGkGiHYbxzjh\n" \
	"iLMmKicAlbjI5IigUkyzrU093qNC1uFQuTmJ5f4Zwp8MrorLEQF964pHUFLQNfD+\n" \
	"qT2ViNN3vUbL/hju94fEUVYFr5dF2ntcDlXemThgdDL/3DTjl6mG65TcL9HBydKB\n" \
	"UKvNOiW7ZDfBkGWQHL1laj+UVU6yrfI8twKCAQEA3665NwzEnbZbvgw0kVXTY67n\n" \
	"Skdr6uKhD05q2rdSAfnLuUPwafGoJbt/9YUAXk4l2lahxo0rq+W1zrXjCorMZ4RU\n" \
	"vO85CzULIXs9dwUWXYPyQnjq6PlFhgbUKhBlz1hVn/M2AJF/pkV5RH+MtZ/nZsAp\n" \
	"3OLlNlk9em4VTq+2BGkGiHYbxzjhiLMmKicAlbjI5IigUkyzrU093qNC1uFQuTmJ\n" \
	"5f4Zwp8MrorLEQF964pHUFLQNfD+qT2ViNN3vUbL/hju94fEUVYFr5dF2ntcDlXe\n" \
	"mThgdDL/3DTjl6mG65TcL9HBydKBUKvNOiW7ZDfBkGWQHL1laj+UVU6yrfI8tg==\n" \
	"-----END DH PARAMETERS-----\n"

/* A prime, but not a safe one */
#define DH_UNSAFE_2048                                                       \
	"-----BEGIN DH PARAMETERS-----\n"                                    \
	"MIIBCAKCAQEAw2MKPvGKF9sXO5wVN5fMlou6sHco0cni5kZbmHz2NtUGyLK59kx4\n" \
	"OvmCIMY4waid33M3NoKFxf1Ukmz4UFL+2yv++h/+WG8MM0Z+T2wMJqI5oODdonoq\n" \
	"bS+GlIz7APZKgQYV35AgJoz42wJSKHfheoKfzNy3Z5N06asyc+lA0ogbeo58dtzD\n" \
	"IGEHbcASgPe7Wcy9HR36fZ9SKTKn75rltQf4yfJwKPYJoxOZCfDTia3E4KkRyvcy\n" \
	"Y9Ofi8t8f42GkoX2B6XD8+ywWtq14wlDslDY90v+odxYtarEe43xYcKOn5WKJFBH\n" \
	"RPiegU89nAxl/VW9ihKZ7VdnCYSzw6CgjQIBAg==\n"                         \
	"-----END DH PARAMETERS-----\n"

/* No prime at all */
#define DH_COMPOSITE_2048                                                    \
	"-----BEGIN DH PARAMETERS-----\n"                                    \
	"MIIBCAKCAQEA3665NwzEnbZbvgw0kVXTY67nSkdr6uKhD05q2rdSAfnLuUPwafGo\n" \
	"Jbt/9YUAXk4l2lahxo0rq+W1zrXjCorMZ4RUvO85CzULIXs9dwUWXYPyQnjq6PlF\n" \
	"hgbUKhBlz1hVn/M2AJF/pkV5RH+MtZ/nZsAp3OLlNlk9em4VTq+2BGkGiHYbxzjh\n" \
	"iLMmKicAlbjI5IigUkyzrU093qNC1uFQuTmJ5f4Zwp8MrorLEQF964pHUFLQNfD+\n" \
	"qT2ViNN3vUbL/hju94fEUVYFr5dF2ntcDlXemThgdDL/3DTjl6mG65TcL9HBydKB\n" \
	"UKvNOiW7ZDfBkGWQHL1laj+UVU6yrfI8uQIBAg==\n"                         \
	"-----END DH PARAMETERS-----\n"

/* The safe prime in X9.42 */
#define DH_X942_SAFE                                                         \
	"-----BEGIN X9.42 DH PARAMETERS-----\n"                              \
	"MIICDAKCAQEA3665NwzEnbZbvgw0kVXTY67nSkdr6uKhD05q2rdSAfnLuUPwafGo\n" \
	"Jbt/9YUAXk4l2lahxo0rq+W1zrXjCorMZ4RUvO85CzULIXs9dwUWXYPyQnjq6PlF\n" \
	"hgbUKhBlz1hVn/M2AJF/pkV5RH+MtZ/nZsAp3OLlNlk9em4VTq+2BGkGiHYbxzjh\n" \
	"iLMmKicAlbjI5IigUkyzrU093qNC1uFQuTmJ5f4Zwp8MrorLEQF964pHUFLQNfD+\n" \
	"qT2ViNN3vUbL/hju94fEUVYFr5dF2ntcDlXemThgdDL/3DTjl6mG65TcL9HBydKB\n" \
	"UKvNOiW7ZDfBkGWQHL1laj+UVU6yrfI8twIBBAKCAQBv11ybhmJO2y3fBhpIqumx\n" \
	"13OlI7X1cVCHpzVtW6kA/OXcofg0+NQS3b/6woAvJxLtK1DjRpXV8trnWvGFRWYz\n" \
	"wiped5yFmoWQvZ67gosuwfkhPHV0fKLDA2oVCDLnrCrP+ZsASL/TIryiP8Zaz/Oz\n" \
	"YBTucXKbLJ69NwqnV9sCNINEOw3jnHDEWZMVE4BK3GRyRFApJlnWpp7vUaFrcKhc\n" \
	"nMTy/wzhT4ZXRWWIgL71xSOoKWga+H9UnsrEabveo2X/DHd7w+IoqwLXy6LtPa4H\n" \
	"Ku9MnDA6GX/uGnHL1MN1ym4X6ODk6UCoVeadEt2yG+DIMsgOXrK1H8oqp1lW+R5b\n" \
	"-----END X9.42 DH PARAMETERS-----\n"

/* What "openssl dhparam -dsaparam" makes */
#define DH_X942_DSA                                                          \
	"-----BEGIN X9.42 DH PARAMETERS-----\n"                              \
	"MIICKAKCAQEAirbYdPBKXNaJacLTSshWDwy8BPwYVeLWuNelSSJ/lHuK+xaI/Jzr\n" \
	"z2AqZrTWxpB2Rjxmk5blb4hTFjOij3wLO2Xm9+qfBLeAZ7x9DtcbKGoI5SRlmDE+\n" \
	"WfoBwXTxODcRwVcuqrux1qQSrASpZzrYRoeTRyv7IJHsuJTW4M1Cv9Vp8bKGhhLw\n" \
	"VVj5uz4b6QPraH9N/K/LoAiXXN4Sceo1aKIHuJC4yZaDmIjJmpL0ZkVh/bHuqR+X\n" \
	"u9ySoX2bzRUlZPWEc3QWrmrRvEePIbiAt+pmUH/++W7SbME3ScOuvxbp1z3imoEd\n" \
	"pVldBqTFGWkZyR8iPTifYvXP/Av4x1H4UQKCAQBSJptaROhdYcJcVvjjOKDmP9sR\n" \
	"Yp2qoR2gmOBV8FG+65/qNS23rJWkmO2CO/3U36Btpcxuar6eMXS8eGcs/lP5tPdM\n" \
	"HbLUt6kl3tmZWRLLNTHUrXFwcWbn6U0kRUCALSNrS7soYnct9nEc0HXT3/14agk7\n" \
	"i87gvOrJgnMgZZ6L6GzOyH2MXeAWN7asvzTpHgnl0fJejaPNB+opuEMCTHG7iJo2\n" \
	"OnbZEJStgHTkEwNte8NtydsiQth4qX+YThGzs1lUJ2viWXtZ1bjFI8Av66JT+pLP\n" \
	"wJbQMvsE1btSx5IvDThI/xPogBU1iOPtWJhFHXn/Oh0Lq5Nlgc9V89bYVi35Ah0A\n" \
	"oF+lg+MoklK3MNGGbGBSeJ4TvhRBFiSPmIXGTQ==\n"                         \
	"-----END X9.42 DH PARAMETERS-----\n"

/* The prime that Apache had built in */
#define DH_APACHE_1024                                                       \
	"-----BEGIN DH PARAMETERS-----\n"                                    \
	"MIGHAoGBANZ95EDLu9wZNtaT00r9CtUMhNI5pF9SC7iBdMuYvOlRhJ+RLmOccvsT\n" \
	"tLTXF34W1VrBebpCCyop/jJKRnpjXoH/WQE3e+3c/TMWikYarTty2uiGAHgEWwen\n" \
	"28p4dAh9FRDqn8yd3TMFB91i24iuqnR94PTW4r1osOc5Pg8kIY6zAgEC\n"         \
	"-----END DH PARAMETERS-----\n"

#endif
