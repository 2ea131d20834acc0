/*-------------------------------------------------------------------------
 *
 * http_session.c
 *		The session's hold on libcurl: the requests under way, and the wait for them.
 *
 * Each session has one curl multi handle, so connections are kept and several requests
 * can be under way at the same time.  This file lets libcurl work and waits for the
 * network.  It knows nothing of the contents of requests and answers: http.c does.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <curl/curl.h>
#include <math.h>
#include <signal.h>

#include "libpq/pqsignal.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "storage/pmsignal.h"
#include "utils/wait_event.h"

#include "wire/http_session.h"

/* A signal ends a poll early.  If the signal comes just before the poll, we lose at most this. */
#define POLL_SLICE_MS 100

/* Connections kept for later requests: enough for a few servers with several each. */
#define MAX_KEPT_CONNECTIONS 32

/* The session's multi handle: the first request makes it, and it stays until the session ends. */
static CURLM *multi = NULL;

/*
 * Make the multi handle, once a session, in the backend that uses it.  Call this before you
 * make the first libcurl handle.
 */
void
dnc_http_session_begin(void)
{
	if (multi)
		return;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || (multi = curl_multi_init()) == NULL ||
		curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long) MAX_KEPT_CONNECTIONS) != CURLM_OK)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("could not initialize libcurl")));
}

/* Put a request under way; false: libcurl refuses it. */
bool
dnc_http_session_add(DncHttpTransfer *transfer)
{
	if (curl_easy_setopt(transfer->easy, CURLOPT_PRIVATE, transfer) != CURLE_OK ||
		curl_multi_add_handle(multi, transfer->easy) != CURLM_OK)
		return false;
	transfer->under_way = true;
	return true;
}

/* Take a request away from libcurl, if it is still under way. */
void
dnc_http_session_remove(DncHttpTransfer *transfer)
{
	if (transfer->under_way)
		curl_multi_remove_handle(multi, transfer->easy);
	transfer->under_way = false;
}

/*
 * Let libcurl do everything that it can do at once, for all requests under way.  libcurl may
 * start a resolver thread here.  We block all signals meanwhile, because that thread must not
 * get the backend's signals.
 */
void
dnc_http_session_perform(void)
{
	int			running;
	sigset_t	all;
	sigset_t	before;
	CURLMcode	code;
	CURLMsg    *message;
	int			left;

	if (multi == NULL)
		return;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	code = curl_multi_perform(multi, &running);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (code != CURLM_OK)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_ERROR),
				 errmsg("libcurl failed"),
				 errdetail("%s", curl_multi_strerror(code))));

	while ((message = curl_multi_info_read(multi, &left)) != NULL)
	{
		CURLcode	result = message->data.result;
		char	   *private = NULL;
		DncHttpTransfer *transfer;

		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
		transfer = (DncHttpTransfer *) private;
		transfer->result = (int) result;
		dnc_http_session_remove(transfer);
	}
}

/*
 * Wait until the network has something for a request under way, but at most ms milliseconds,
 * and at most POLL_SLICE_MS, so that we serve interrupts in time.  pg_stat_activity shows
 * wait_event meanwhile.
 */
void
dnc_http_session_poll(double ms, uint32 wait_event)
{
	dnc_http_session_begin();
	pgstat_report_wait_start(wait_event);
	curl_multi_poll(multi, NULL, 0, (int) ceil(Min(Max(ms, 0), POLL_SLICE_MS)), NULL);
	pgstat_report_wait_end();
	if (IsUnderPostmaster && !PostmasterIsAlive())
		proc_exit(1);
	CHECK_FOR_INTERRUPTS();
}
