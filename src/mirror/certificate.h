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
	int64		repeated;		/* rows that we left out: the pass saw their entries before */
	int64		wide_keys;		/* entries with a wide key: we cannot tell the person */
	char	   *sha256;			/* over the sorted identities, in hexadecimal */
} DncCertificate;

extern void dnc_certificate_make(const DncMirror *mirror, DncCertificate *certificate);

#endif							/* DNC_CERTIFICATE_H */
