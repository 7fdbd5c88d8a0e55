package blobstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/blobdock/blobdock/driver"
)

// stage takes in the bytes of one upload. It cuts them into parts, sends these
// while more bytes come, hashes everything on the way and keeps the session up
// to date. It is used by one goroutine.
//
// sess is always the image that is persisted; parts, next and buf run ahead of
// it until persist.
type stage struct {
	store *Store
	sess  *session
	tail  io.ReadCloser // of the session object, until it is loaded

	plan    driver.Plan
	planned bool
	hash    *hashes
	pipe    hashPipe
	buf     *buffer // bytes behind the parts
	parked  int64   // bytes behind the parts that are in the session and not in buf
	hashed  int     // bytes of buf that are hashed or handed to the pipe

	parts   []driver.Part
	size    int64 // bytes taken in
	next    int   // number of the next part
	claimed int   // numbers from next up to here, exclusive, are ours
	batch   int   // how many numbers the next claim takes when the length is unknown

	chunked bool // it goes on with bytes of earlier requests

	upload  driver.Upload // where parts go
	created bool          // upload was created by this stage and is in no session yet
	target  string        // key that the parts are sent to, once some are
	flight  *flight       // parts under way
	broken  error         // why nothing can be added any more
	closed  bool
}

func (s *Store) newStage(sess *session, tail io.ReadCloser) (*stage, error) {
	st := &stage{
		store: s, sess: sess, tail: tail, parked: sess.Tail,
		parts: slices.Clone(sess.Parts), size: sess.Offset(),
		next: sess.Next, claimed: sess.Next, batch: firstBatch,
		upload: sess.Staged, chunked: sess.Offset() > 0,
	}
	sess.Writer = rand.Uint64()
	var err error
	if st.hash, err = resumeHashes(sess.Hashes); err != nil {
		return nil, fmt.Errorf("session %q: %w", sess.key, err)
	}
	if sess.Hashes == nil {
		st.hash = newHashes(sess.Algorithms...)
	}
	st.pipe.hash = st.hash
	s.uploads.Add(1)
	return st, nil
}

// append takes in r up to its end. length is how many bytes r has, -1 when that
// is unknown; a body that turns out longer or shorter is refused. It returns how
// many bytes it took in. Nothing is persisted until settle.
func (st *stage) append(ctx context.Context, r io.Reader, length int64, last bool) (n int64, err error) {
	if st.broken != nil {
		return 0, st.broken
	}
	if err := st.begin(ctx, length, last); err != nil {
		return 0, err
	}
	for {
		if int64(st.buf.n) >= st.plan.Size(st.next) {
			// Full, but a part only if more bytes follow: the last ones stay in the
			// buffer, which for a small blob is all there ever is.
			var probe [1]byte
			if _, err := io.ReadFull(r, probe[:]); err != nil {
				return n, st.ended(err, n, length)
			}
			if length >= 0 && n+1 > length {
				return n, st.broke(fmt.Errorf("body is longer than %d bytes: %w", length, ErrBodyLength))
			}
			if err := st.flush(ctx, remaining(length, n)); err != nil {
				return n, err
			}
			st.take(copy(st.buf.room(), probe[:]))
			n++
			continue
		}
		m, err := r.Read(st.room(length, n))
		if length >= 0 && n+int64(m) > length {
			return n, st.broke(fmt.Errorf("body is longer than %d bytes: %w", length, ErrBodyLength))
		}
		st.take(m)
		n += int64(m)
		if err != nil {
			return n, st.ended(err, n, length)
		}
		if m > 0 {
			if err := st.makeWay(ctx, remaining(length, n)); err != nil {
				return n, err
			}
		}
	}
}

// begin loads what the session holds beside the parts and gets the first buffer.
func (st *stage) begin(ctx context.Context, length int64, last bool) error {
	if !st.planned {
		if err := st.makePlan(length, last); err != nil {
			return err
		}
	}
	want := st.want(length)
	if st.buf == nil {
		return st.load(ctx, want)
	}
	if int64(st.buf.size()) >= want {
		return nil
	}
	if err := st.park(ctx); err != nil {
		return err
	}
	return st.load(ctx, st.want(length))
}

// want is the size of the buffer for the next part, when left more bytes are known to
// come; -1 is unknown.
func (st *stage) want(left int64) int64 {
	size := st.plan.Size(st.next)
	if left >= 0 {
		// One byte more than there will be, so that the end is seen by reading.
		size = min(size, st.pending()+left+1)
	}
	return size
}

// pending is how many bytes lie behind the parts.
func (st *stage) pending() int64 {
	if st.buf != nil {
		return int64(st.buf.n)
	}
	return st.parked
}

func (st *stage) makePlan(length int64, last bool) error {
	limits := st.store.features.Parts
	first, total := st.store.options.PartSize, int64(-1)
	switch {
	case limits.Uniform && len(st.parts) > 0:
		first = st.parts[0].Size
	case length >= 0 && last:
		total = st.size + length
		if err := limits.Fits(total); err != nil {
			return err
		}
		// Short parts have used up numbers; what is left of them has to do.
		limits.MaxParts = max(limits.MaxParts-st.next+1, 1)
		total = st.pending() + length
	case length >= 0:
		// At least this much will come; there may be more in further requests.
		p, err := limits.Plan(first, st.store.options.maxPart(), st.size+length)
		if err != nil {
			return err
		}
		first = p.Size(1)
	}
	var err error
	st.plan, err = limits.Plan(first, st.store.options.maxPart(), total)
	st.planned = err == nil
	return err
}

// makeWay gives the buffer back when others have waited for one and it takes the client
// long to fill it, and gets in line again. A part that is full, or all there is, is sent
// anyway.
func (st *stage) makeWay(ctx context.Context, left int64) error {
	b, long := st.store.budget, st.store.options.MemoryWait/holdings
	if !b.contended() || time.Since(st.buf.granted) <= long || left == 0 || int64(st.buf.n) >= st.plan.Size(st.next) || !b.leave(long) {
		return nil
	}
	err := st.park(ctx)
	b.left()
	if err != nil {
		return err
	}
	return st.load(ctx, st.want(left))
}

// park brings all bytes into the session and gives the buffer back: a writer that waits
// for the budget holds none of it. That is done even if ctx ends, so that nothing is lost.
func (st *stage) park(ctx context.Context) error {
	ctx, stop := detach(ctx, st.store.grace(ctx))
	defer stop()
	if err := st.settle(ctx, true); err != nil {
		return err
	}
	st.release(ctx)
	st.parked = st.sess.Tail
	return nil
}

// load gets a buffer, for want bytes and for those that are parked, which it puts there.
func (st *stage) load(ctx context.Context, want int64) error {
	want = max(want, st.parked)
	buf := st.store.budget.try(ctx, want)
	if buf == nil {
		// Nor does it hold a connection, which others may need to get on.
		st.closeTail()
		var err error
		if buf, err = st.store.buffer(ctx, want, st.size > 0); err != nil {
			return err
		}
	}
	buf.n = int(st.parked)
	if err := st.unpark(ctx, buf.bytes()); err != nil {
		buf.done()
		return st.broke(err)
	}
	st.buf, st.hashed, st.parked = buf, buf.n, 0
	return nil
}

// unpark reads the parked bytes, for which p has just the room.
func (st *stage) unpark(ctx context.Context, p []byte) error {
	defer st.closeTail()
	sess := st.sess
	if st.tail == nil && len(p) > 0 {
		var err error
		if sess, st.tail, err = loadSession(ctx, st.store.bucket, st.sess.key); err != nil {
			return err
		}
		if sess.etag != st.sess.etag {
			return fmt.Errorf("session %q: %w", sess.key, ErrUploadConflict)
		}
	}
	if st.tail == nil {
		return nil
	}
	return sess.readTail(st.tail, p)
}

// closeTail ends the connection that the tail would come by.
func (st *stage) closeTail() {
	if st.tail != nil {
		_ = st.tail.Close()
		st.tail = nil
	}
}

// room is where the next bytes go: never beyond the part's planned size.
func (st *stage) room(length, n int64) []byte {
	p := st.buf.room()
	if free := st.plan.Size(st.next) - int64(st.buf.n); int64(len(p)) > free {
		p = p[:free]
	}
	if len(p) > hashChunk {
		p = p[:hashChunk]
	}
	if left := length - n; length >= 0 && int64(len(p)) > left+1 {
		p = p[:left+1]
	}
	return p
}

// take notes that m bytes were put into the buffer.
func (st *stage) take(m int) {
	st.buf.n += m
	st.size += int64(m)
	if st.buf.n-st.hashed >= hashChunk {
		st.hashRest()
	}
}

func (st *stage) hashRest() {
	if st.hashed < st.buf.n {
		st.pipe.add(st.buf, st.buf.bytes()[st.hashed:])
		st.hashed = st.buf.n
	}
}

// ended tells a body's proper end from one that was cut off.
func (st *stage) ended(err error, n, length int64) error {
	if !errors.Is(err, io.EOF) {
		return fmt.Errorf("reading the body after %d bytes: %w", n, err)
	}
	if length >= 0 && n < length {
		return fmt.Errorf("body ended after %d of %d bytes: %w: %w", n, length, ErrBodyLength, io.ErrUnexpectedEOF)
	}
	return nil
}

// flush sends the full buffer as a part and makes room for the next. left is how
// many more bytes are known to come, -1 when that is unknown. When only the room can't
// be had, the stage is none the worse for it.
func (st *stage) flush(ctx context.Context, left int64) error {
	if err := st.send(ctx, left); err != nil {
		return err
	}
	if st.next == st.claimed && left < 0 {
		// The numbers of a body of unknown length are used up. With the buffer
		// empty, claiming the next is a good moment to persist everything so far.
		if err := st.claim(ctx, left); err != nil {
			return st.broke(err)
		}
		st.flight = st.store.newFlight(ctx)
	}
	var err error
	st.buf, err = st.flight.buffer(ctx, st.plan.Size(st.next))
	if err != nil && st.flight.ctx.Err() != nil {
		return st.broke(err)
	}
	return err
}

// send sends the buffer as a part, in the background. left is as for flush.
func (st *stage) send(ctx context.Context, left int64) error {
	st.hashRest()
	if st.next == st.claimed {
		if err := st.claim(ctx, left); err != nil {
			return st.broke(err)
		}
	}
	if err := st.create(ctx); err != nil {
		return st.broke(err)
	}
	if st.flight == nil {
		st.flight = st.store.newFlight(ctx)
	}
	slot := len(st.parts)
	st.parts = append(st.parts, driver.Part{Number: st.next, Size: int64(st.buf.n)})
	st.flight.send(st.upload, st.next, slot, st.buf)
	st.buf, st.hashed = nil, 0
	st.next++
	return nil
}

// create creates the upload that parts go to, once.
func (st *stage) create(ctx context.Context) error {
	if st.upload.ID != "" {
		return nil
	}
	u, err := st.store.bucket.CreateUpload(ctx, st.sess.Staged.Key, driver.WriteOptions{ContentType: contentType})
	if st.store.strays.take(st.sess.Staged.Key) {
		st.sess.strayAt(st.sess.Staged.Key)
	}
	if err != nil {
		return err
	}
	st.upload, st.created = u, true
	return nil
}

// cut sends what lies behind the parts as one of them, if it is enough: in the session
// each further request would read it and write it again. ctx is detached from the
// client's. An error is st.broken.
func (st *stage) cut(ctx context.Context) {
	if st.broken != nil || st.buf == nil || !st.dirty() || !st.enough(int64(st.buf.n)) {
		return
	}
	if st.flight == nil {
		st.flight = st.store.newFlightIn(context.WithCancel(ctx))
	}
	_ = st.send(ctx, 0)
}

// enough reports whether n bytes may be a part although more could follow.
func (st *stage) enough(n int64) bool {
	if len(st.parts) == 0 && (!st.chunked || n <= DefaultPartSize) {
		return false // it may be all there is, which a single request stores
	}
	limits := st.store.features.Parts
	if limits.Uniform || st.next > limits.MaxParts/2 {
		return false // the numbers of the second half are for parts that are full
	}
	size := st.plan.Size(st.next)
	return n >= max(limits.MinSize, size/4, min(size/2, shortPart))
}

// shortPart is 5 MiB, S3's minimum. Smaller ones cost more requests than they save bytes.
const shortPart = 5 << 20

// broke makes err the answer to everything that follows.
func (st *stage) broke(err error) error {
	if errors.Is(err, driver.NotFound) && !errors.Is(err, ErrUploadConflict) {
		err = fmt.Errorf("%w: %w", ErrUploadGone, err)
	}
	if st.broken == nil {
		st.broken = err
	}
	return err
}

// ensureTail makes the bytes behind the parts available in buf.
func (st *stage) ensureTail(ctx context.Context) error {
	if st.parked == 0 {
		return nil
	}
	return st.load(ctx, st.parked)
}

// release gives back what the stage holds in this process. Parts under way are
// given up, and with them an upload that no session will ever name.
func (st *stage) release(ctx context.Context) {
	if f := st.flight; f != nil {
		f.cancel(errReleased)
		_ = st.settle(f.ctx, false)
	}
	st.pipe.stop()
	if st.created && errors.Is(st.broken, ErrUploadConflict) {
		st.store.abortLost(ctx, st.sess, st.upload)
		st.created = false
	}
	st.closeTail()
	if st.buf != nil {
		st.buf.done()
		st.buf = nil
	}
}

// close is release for good.
func (st *stage) close(ctx context.Context) {
	st.release(ctx)
	if !st.closed {
		st.closed = true
		st.store.uploads.Add(-1)
	}
}

var errReleased = errors.New("upload was closed")

func remaining(length, n int64) int64 {
	if length < 0 {
		return -1
	}
	return length - n
}

// contentType is what a blob without a known type has, as in distribution.
const contentType = "application/octet-stream"
