package upload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/blobstore/internal/memory"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/tombstone"
)

// Writer is one process's hold on an upload. Its calls must not overlap.
//
// Everything taken in is persisted, and the id is final, when ReadFrom returns, also with
// an error; after Write that holds when Close returns. The body of the request that ends
// an upload (Request.Final) is left to Commit.
//
// A Writer that nothing was written to holds nothing: it may be dropped without Close.
type Writer struct {
	ctx     context.Context // of the request; io.Writer and io.ReaderFrom have none
	engine  *Engine
	repo    string
	folder  string
	request Request
	holder  *memory.Holder // nil until there are bytes
	sight   tombstone.Sight

	mu    lock   // held by calls while they change what follows, and by spill
	state *state // the newest that is persisted
	// The following fields run ahead of the state.
	pieces []piece // some of them may still be under way
	refs   []ref   // bytes behind the pieces, in states
	buf    *memory.Buffer
	size   int64
	// gathered is the bytes of refs during a Commit.
	gathered *memory.Buffer
	hash     hasher
	hashed   int64 // bytes of buf that are hashed or handed to the hasher

	plan     driver.Plan
	planned  bool
	uploader *partUploader
	unnamed  []driver.ObjectRef // pieces written by this Writer that no state names
	// promised are pieces written by this Writer that a state may name which is not in
	// state: a checkpoint, or a state whose writing failed. A status request may find it.
	promised []driver.ObjectRef
	intent   intent // of a multipart upload that goes on; zero when there is none
	// checkpoints are states that were written on the way.
	checkpoints []driver.ObjectRef
	// inspect is called with the content before it is published; nil for nothing.
	inspect func(io.Reader) error
	// abandoned are states, and their pieces, that a Seek has left.
	abandoned []driver.ObjectRef
	// left is the state that the Writer was on before it went back.
	left      id
	salvaged  bool    // the Writer went back to the last piece that is stored
	direct    *direct // the body goes to the digest's key; nil else
	readOnce  bool    // a ReadFrom has used the request's length
	published bool    // an earlier request has committed: nothing is left to do
	blobSize  int64   // of the blob that is published
	settled   bool    // ReadFrom has fixed the id: Close persists nothing
	broken    error   // why nothing can be added any more
	status    status
	pushed    bool // nobody can resume it
	unlinked  bool // Commit makes no link
	replace   bool // Commit replaces a blob that is there, whatever its size
	looked    bool // at what is at the digest's key, before a body goes there
	barred    bool // by an object at the digest's key: no parts can be sent there
}

// status is what has become of a Writer.
type status int

const (
	isOpen   status = iota
	isFailed        // a Commit failed in passing: Cancel keeps what there is
	isClosed
	isEnded // committed, cancelled, or ended by a verdict
)

func (e *Engine) newWriter(ctx context.Context, repo string, st *state, r Request) *Writer {
	w := &Writer{
		ctx: ctx, mu: newLock(), engine: e, repo: repo, folder: st.folder, request: r,
		state: st, pieces: slices.Clone(st.header.Pieces), size: st.header.Offset, refs: st.refs(),
	}
	if st.header.Offset == 0 && len(st.header.Hashes) == 0 {
		algs := st.header.Algorithms
		if r.Digest != "" && r.Digest.Algorithm() == digest.SHA512 && !slices.Contains(algs, digest.SHA512) {
			algs = append(slices.Clip(algs), digest.SHA512)
		}
		w.hash.hashes = newHashes(algs...)
		if e.features.StatChecksums != nil {
			w.hash.hashes.withCRC32C()
		}
		return w
	}
	w.hash.hashes, _ = resumeHashes(st.header.hashStates) // decode has checked them
	return w
}

// refs are the bytes behind the state's pieces, its own body included.
func (st *state) refs() []ref {
	refs := slices.Clone(st.header.Refs)
	if st.header.Body > 0 {
		refs = append(refs, ref{Key: st.object.Key, Off: st.bodyOff, Size: st.header.Body, CRC: st.header.BodyCRC})
	}
	return refs
}

// Within makes ctx that of the calls which take none, from now on.
func (w *Writer) Within(ctx context.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ctx = ctx
}

// ID names the upload as it is persisted.
func (w *Writer) ID() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state.id.String()
}

// StartedAt is when the upload was created.
func (w *Writer) StartedAt() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state.header.Started
}

// Size is how many bytes the upload has. After an error it is how many are persisted.
func (w *Writer) Size() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken != nil {
		return w.state.header.Offset
	}
	return w.size
}

// Digest is the SHA-256 digest of all bytes so far.
func (w *Writer) Digest() digest.Digest {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hashRest()
	w.hash.wait()
	d, _ := w.hash.hashes.digest(digest.SHA256)
	return d
}

// Write takes in p. It is persisted by Close.
func (w *Writer) Write(p []byte) (int, error) {
	if err := w.usable(); err != nil {
		return 0, err
	}
	w.settled = false
	n, err := w.append(w.ctx, bytes.NewReader(p), -1)
	return int(n), err
}

// ReadFrom takes in r to its end and persists it. When r fails, or the client behind it
// goes away, what had arrived is persisted all the same.
func (w *Writer) ReadFrom(r io.Reader) (int64, error) {
	if err := w.usable(); err != nil {
		return 0, err
	}
	length := int64(-1)
	if !w.readOnce {
		w.readOnce, length = true, w.request.Length
	}
	n, err := w.append(w.ctx, r, length)
	if err == nil && w.request.Final {
		return n, nil
	}
	if w.direct != nil || w.pushed {
		return n, w.brokeUnlocked(err) // all of it has to come again
	}
	ctx, stop := detach(w.ctx, w.grace())
	defer stop()
	w.settled = true
	if perr := w.persist(ctx, false); perr != nil && !errors.Is(err, perr) {
		// The id tells of no byte that came since the last state.
		err = errors.Join(err, w.brokeUnlocked(perr))
	}
	return n, err
}

// Close persists what was written and frees the Writer's memory. It may be called again.
func (w *Writer) Close() error {
	if w.status == isClosed || w.status != isOpen && w.holder == nil {
		return nil
	}
	ctx, stop := detach(w.ctx, w.grace())
	defer stop()
	var err error
	if w.status == isOpen && w.direct == nil && !w.request.Final && !w.settled {
		err = w.persist(ctx, false)
	}
	w.release()
	if w.status == isOpen {
		w.status = isClosed
	}
	return err
}

// release gives back what the Writer holds in this process, and has the pieces removed
// that it has written and no state names. Bytes that were not persisted are lost: a Commit
// would publish others than it has hashed.
func (w *Writer) release() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.releaseLocked()
}

// releaseLocked is release with the lock held.
func (w *Writer) releaseLocked() {
	if w.uploader != nil {
		w.uploader.cancel(ErrClosed)
		_ = w.waitParts() // what it could not store is gone with the rest
	}
	w.hash.wait()
	if w.direct != nil {
		w.direct.drop(w)
	}
	w.engine.cleanup.add(w.unnamed...)
	w.unnamed = nil
	w.buf.Release()
	w.buf = nil
	if w.holder != nil {
		w.holder.Leave()
		w.holder = nil
	}
	if w.broken == nil && w.status != isEnded && (w.size != w.state.header.Offset || w.direct != nil) {
		w.broken = ErrClosed // bytes are lost: a Commit would publish the rest
	}
}

// usable is the error of calls that come too late, or nil.
func (w *Writer) usable() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.status != isOpen:
		return ErrClosed
	case w.broken != nil:
		return w.broken
	default:
		return nil
	}
}

func (w *Writer) wrap(err error) error { return fmt.Errorf("upload %s: %w", w.state.id.uuid, err) }

// grace is how long a call may go on once its context has ended. A request's client is
// gone and nobody waits for the call; other callers want it back.
func (w *Writer) grace() time.Duration {
	if w.request.HTTP {
		return w.engine.options.Grace
	}
	return min(w.engine.options.Grace, 400*time.Millisecond)
}
