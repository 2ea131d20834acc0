/*-------------------------------------------------------------------------
 *
 * certificate.h
 *		The proof of which entries a pass has seen.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_CERTIFICATE_H
#define DNC_CERTIFICATE_H

#include "mirror/mirror.h"

typedef struct DncCertificate
{
	int64		rows;			/* entries, each once */
	int64		repeated;		/* rows that are left out: the pass has seen their entries twice */
	int64		wide_keys;		/* those of them whose key is a wide one */
	char	   *sha256;			/* over the sorted identities, in hexadecimal */
} DncCertificate;

extern void dnc_certificate_make(const DncMirror *mirror, DncCertificate *certificate);

#endif							/* DNC_CERTIFICATE_H */
