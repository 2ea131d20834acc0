/*
 * timer.c
 *		The clock, and the requests that wait for a point in time.
 *
 * A binary heap by due time.  Each request knows its slot, so we can take out a request that ends
 * early without a search.
 */
#include "timer.h"

#include <stdlib.h>
#include <time.h>

/* heap[1] is due first; heap[0] is not used. */
static SbRequest **heap;
static size_t heap_count;
static size_t heap_room;

/* Microseconds of the monotonic clock. */
int64_t
sb_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Milliseconds since the first call of this function, which main() makes at the start. */
int64_t
sb_server_ms(void)
{
	static int64_t start;

	if (start == 0)
		start = sb_now_us();
	return (sb_now_us() - start) / 1000;
}

/* Milliseconds since 1970. */
int64_t
sb_epoch_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Puts a request into a slot. */
static void
put(size_t slot, SbRequest *req)
{
	heap[slot] = req;
	req->timer_slot = slot;
}

/* Moves the request of a slot up or down to its place. */
static void
settle(size_t slot)
{
	SbRequest  *req = heap[slot];

	for (; slot > 1 && heap[slot / 2]->due_us > req->due_us; slot /= 2)
		put(slot, heap[slot / 2]);
	for (;;)
	{
		size_t		child = slot * 2;

		if (child < heap_count && heap[child + 1]->due_us < heap[child]->due_us)
			child++;
		if (child > heap_count || heap[child]->due_us >= req->due_us)
			break;
		put(slot, heap[child]);
		slot = child;
	}
	put(slot, req);
}

/* Lets a request wait until due_us; it must not wait already. */
void
sb_timer_set(SbRequest *req, int64_t due_us)
{
	if (heap_count + 1 >= heap_room)
	{
		heap_room = heap_room == 0 ? 64 : heap_room * 2;
		heap = sb_realloc(heap, heap_room * sizeof(SbRequest *));
	}
	req->due_us = due_us;
	heap_count++;
	put(heap_count, req);
	settle(heap_count);
}

/* Ends the wait of a request, if it waits. */
void
sb_timer_cancel(SbRequest *req)
{
	size_t		slot = req->timer_slot;

	if (slot == 0)
		return;
	req->timer_slot = 0;
	heap_count--;
	if (slot > heap_count)
		return;
	put(slot, heap[heap_count + 1]);
	settle(slot);
}

/* Takes out one request that is due; NULL if there is none. */
SbRequest *
sb_timer_due(int64_t now_us)
{
	SbRequest  *req = heap_count > 0 ? heap[1] : NULL;

	if (req == NULL || req->due_us > now_us)
		return NULL;
	sb_timer_cancel(req);
	return req;
}

/* The time when the next request is due; -1 if none waits. */
int64_t
sb_timer_next(void)
{
	return heap_count > 0 ? heap[1]->due_us : -1;
}

/* Frees the heap. */
void
sb_timer_free(void)
{
	free(heap);
	heap = NULL;
	heap_count = heap_room = 0;
}
