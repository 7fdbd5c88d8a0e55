package upload

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/layout"
)

// closed uses a Writer after Close: bytes that are lost must not be missing under a digest.
func (m *model) closed(ctx context.Context, r *rand.Rand, u *modelUpload, id string, content []byte) {
	rest := chunk(r)
	whole := append(slices.Clip(content), rest...)
	d := digest.FromBytes(whole)
	w, err := m.engine(r).Resume(ctx, "repo", id, Request{Length: -1, Final: true, Digest: d})
	if err != nil {
		return
	}
	if w.published {
		return
	}
	m.attempt(u, whole)
	if _, err := w.ReadFrom(bytes.NewReader(rest)); err != nil {
		_ = w.Close()
		return
	}
	w.Digest()
	_ = w.Close()
	var v *Verdict
	if _, err := w.Commit(ctx, d, 0); errors.As(err, &v) {
		m.t.Errorf("Commit after Close: %v", err)
	}
}

func (m *model) create(r *rand.Rand) {
	w, err := m.engine(r).Create(context.Background(), "repo", Request{Length: -1})
	if err != nil {
		m.t.Errorf("POST: %v", err)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.uploads = append(m.uploads, newModelUpload(w.ID()))
	_ = w.Close()
}

// cutReader fails after its bytes.
type cutReader struct{ io.Reader }

func (c cutReader) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// slowReader takes its time.
type slowReader struct {
	io.Reader
	pause time.Duration
}

func (s slowReader) Read(p []byte) (int, error) {
	time.Sleep(s.pause)
	return s.Reader.Read(p[:min(len(p), testPart/2+1)])
}

// slow is how fast a client sends.
func slow(r *rand.Rand, body io.Reader) io.Reader {
	if r.IntN(2) == 0 {
		return body
	}
	return slowReader{body, time.Duration(r.IntN(300)) * time.Millisecond}
}

// chunk is what a request brings.
func chunk(r *rand.Rand) []byte {
	sizes := []int{1, 10, 300, testPart / 2, testPart, testPart + 1, 3 * testPart, 7*testPart + 5}
	return bytesOf(sizes[r.IntN(len(sizes))], r.Uint64N(4)) // others push the same
}

func (m *model) patch(ctx context.Context, r *rand.Rand, u *modelUpload, id string, content []byte) {
	held := m.begin(u, id, false)
	w, err := m.engine(r).Resume(ctx, "repo", id, Request{Length: -1, HTTP: true})
	if err != nil {
		m.refused(held, "PATCH", err)
		return
	}
	p := chunk(r)
	cut, write := r.IntN(6) == 0, r.IntN(8) == 0
	sent := p
	var body io.Reader = bytes.NewReader(p)
	if cut {
		sent = p[:r.IntN(len(p)+1)]
		body = cutReader{bytes.NewReader(sent)}
	}
	if w.Size() != int64(len(content)) {
		m.t.Errorf("Resume(%s) has %d bytes, want %d", id, w.Size(), len(content))
	}
	m.attempt(u, append(slices.Clip(content), sent...))
	m.log("PATCH %s + %d bytes, cut %t", id, len(sent), cut)
	var next string
	var size int64
	var cerr error
	if write {
		_, err = w.Write(sent)
		cerr = w.Close()
		next, size = w.ID(), w.Size()
		cut = false
	} else {
		_, err = w.ReadFrom(slow(r, body))
		next, size = w.ID(), w.Size()
		cerr = w.Close()
	}
	m.log("PATCH %s + %d bytes: %s, %v, %v", id, len(sent), next, err, cerr)
	if w.ID() != next {
		m.t.Errorf("Close changed the id from %s to %s", next, w.ID())
	}
	if err != nil || cerr != nil || cut {
		if err == nil && cerr == nil {
			m.t.Errorf("a body that breaks off is a success")
		}
		// A client can go on from the bytes that were persisted all the same.
		if got := size - int64(len(content)); got < 0 || got > int64(len(sent)) {
			m.t.Errorf("after a failure the upload has %d bytes, it had %d and was sent %d", size, len(content), len(sent))
			return
		}
	}
	if i, perr := m.looker.parseID(next, "repo"); perr != nil || i.offset != size {
		m.t.Errorf("id %s of %d bytes: %v", next, size, perr)
	} else {
		m.mu.Lock()
		defer m.mu.Unlock()
		u.add(held, next, append(slices.Clip(content), sent...)[:i.offset])
	}
}

// refused checks that an upload was refused for a reason.
func (m *model) refused(held promise, what string, err error) {
	if m.holds(held) && m.final(held, err) || errors.Is(err, ErrConflict) {
		m.t.Errorf("%s of an upload that goes on: %v", what, err)
	}
}

// final reports whether an error tells the client that the upload can't be continued,
// without a reason.
func (m *model) final(held promise, err error) bool {
	return errors.Is(err, ErrUnknown) || errors.Is(err, ErrGone) || errors.Is(err, ErrBadState) && !m.damaged(held)
}

func (m *model) commit(ctx context.Context, r *rand.Rand, u *modelUpload, id string, content []byte) {
	var rest []byte
	if r.IntN(2) == 0 {
		rest = chunk(r)
	}
	whole := append(slices.Clip(content), rest...)
	d := digest.FromBytes(whole)
	wrong := r.IntN(8) == 0
	if r.IntN(10) == 0 {
		d = digest.SHA512.FromBytes(whole)
	}
	if wrong {
		d = d.Algorithm().FromString("wrong")
	}
	if r.IntN(12) == 0 {
		m.plant(d, whole, r.IntN(2) == 0)
	}
	for range 1 + r.IntN(2) {
		held := m.begin(u, id, true)
		m.attempt(u, whole)
		deletes := m.deleted()
		want := int64(0)
		switch r.IntN(8) {
		case 0:
			want = int64(len(whole))
		case 1:
			want = int64(len(whole)) + 1 + r.Int64N(3)
		}
		refuse := wrong || want > int64(len(whole))
		m.log("PUT %s + %d bytes, %s, to be refused %t", id, len(rest), d, refuse)
		err := m.put(ctx, r, id, d, want, rest)
		m.log("PUT %s + %d bytes: %v", id, len(rest), err)
		intact := deletes == m.deleted()
		var v *Verdict
		ok := m.holds(held)
		if errors.As(err, &v) || err != nil && !refuse && m.consumed(d) {
			m.endBranch(held, whole)
		} else {
			m.end(held, err == nil)
		}
		switch {
		case err == nil && refuse:
			m.t.Errorf("content was committed under a digest or size that it doesn't have")
			return
		case err == nil:
			if intact {
				m.published(d, whole, ok)
			}
			if r.IntN(3) == 0 {
				m.repeat(r, u, id, d, want, rest, deletes)
			}
			return
		case v != nil:
			if !refuse {
				m.t.Errorf("PUT: %v, and the digest is right", err)
			}
			return
		default:
			if ok && intact && m.final(held, err) {
				m.t.Errorf("PUT of an upload that goes on: %v", err)
			}
			if errors.Is(err, ErrConflict) && !refuse {
				m.t.Errorf("PUT: %v, and the digest is right", err)
			}
		}
	}
}

// consumed reports whether a PUT that failed may have published its content all the same,
// where joining pieces takes them: its branch has ended by success then.
func (m *model) consumed(d digest.Digest) bool {
	if m.bucket.Features().Concat == nil {
		return false
	}
	_, err := m.bucket.Stat(context.Background(), layout.Layout{Root: "root"}.Blob(d))
	return err == nil
}

// repeat sends a PUT that has succeeded again, as its answer was lost. After a DELETE of the
// upload it may be refused.
func (m *model) repeat(r *rand.Rand, u *modelUpload, id string, d digest.Digest, want int64, rest []byte, deletes int) {
	held := m.begin(u, id, true)
	defer m.end(held, true)
	err := m.put(context.Background(), r, id, d, want, rest)
	m.mu.Lock()
	cancelled := u.cancelled
	m.mu.Unlock()
	var v *Verdict
	if deletes == m.deleted() && !cancelled && (m.final(held, err) || errors.Is(err, ErrConflict) || errors.As(err, &v)) {
		m.t.Errorf("PUT that has succeeded, repeated: %v", err)
	}
}

func (m *model) put(ctx context.Context, r *rand.Rand, id string, d digest.Digest, want int64, rest []byte) error {
	length := int64(len(rest))
	if r.IntN(3) == 0 {
		length = -1
	}
	w, err := m.engine(r).Resume(ctx, "repo", id, Request{Length: length, Final: true, Digest: d, HTTP: true})
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		if _, err := w.ReadFrom(slow(r, bytes.NewReader(rest))); err != nil {
			return errors.Join(err, w.Close()) // as distribution's handler does it
		}
	}
	_, err = w.Commit(ctx, d, want)
	var v *Verdict
	if err != nil && !errors.As(err, &v) && r.IntN(3) == 0 {
		_, err = w.Commit(ctx, d, want)
	}
	if err != nil {
		_ = w.Cancel(ctx)
	}
	_ = w.Close()
	return err
}

// published checks what a success has promised. Links may be there long before. Where the
// upload may have ended already, such as by a DELETE after a PUT that had made the link, a
// PUT that is repeated has nothing but size and digest to compare another's bytes with.
func (m *model) published(d digest.Digest, content []byte, goesOn bool) {
	l := layout.Layout{Root: "root"}
	rd, err := m.bucket.Open(context.Background(), l.Blob(d), driver.Range{}, driver.ReadOptions{})
	if err != nil {
		m.t.Errorf("after success: blob: %v", err)
		return
	}
	defer rd.Close()
	m.mu.Lock()
	planted := m.planted[d]
	m.mu.Unlock()
	got, err := io.ReadAll(rd)
	excused := !goesOn && len(got) == len(content) && bytes.Equal(got, planted)
	if err != nil || !bytes.Equal(got, content) && !excused {
		m.t.Errorf("after success: the blob has other bytes: %d, want %d (%v)", len(got), len(content), err)
	}
	if _, err := m.bucket.Stat(context.Background(), l.LayerLink("repo", d)); err != nil {
		m.t.Errorf("after success: link: %v", err)
	}
}

func (m *model) cancel(ctx context.Context, r *rand.Rand, u *modelUpload, id string) {
	held := m.begin(u, id, true)
	defer m.end(held, true)
	m.mu.Lock()
	u.cancelled = true
	m.mu.Unlock()
	w, err := m.engine(r).Resume(ctx, "repo", id, Request{Length: -1, HTTP: true})
	if err != nil {
		m.refused(held, "DELETE", err)
		return
	}
	err = w.Cancel(ctx)
	m.log("DELETE %s: %v", id, err)
	if err != nil {
		return
	}
	if _, err := m.engine(r).Status(context.Background(), "repo", id); err == nil {
		m.t.Errorf("status of an upload that was cancelled is a success")
	}
}

func (m *model) status(ctx context.Context, r *rand.Rand, u *modelUpload, id string, content []byte) {
	held := m.begin(u, id, false)
	p, err := m.engine(r).Status(ctx, "repo", id)
	if err != nil {
		m.refused(held, "status", err)
		return
	}
	m.log("status of %s: %s", id, p.ID)
	if p.Size < int64(len(content)) {
		m.t.Errorf("status of %s: %d bytes, of which %d were acknowledged", id, p.Size, len(content))
	}
	m.found(held, p.ID, p.Size)
}

// readable checks that all objects are there that the state of an id names, and have its
// content.
func (m *model) readable(name string, content []byte) {
	ctx := context.Background()
	i, err := m.looker.parseID(name, "repo")
	if err != nil || i.first() {
		return
	}
	st, err := m.looker.load(ctx, m.looker.folder("repo", i.uuid), "repo", i)
	if err != nil {
		m.t.Errorf("state of %s: %v", name, err)
		return
	}
	var got []byte
	read := func(key string, span driver.Range) {
		_, p, err := m.looker.readRange(ctx, key, span, "")
		if err != nil {
			m.t.Errorf("%s of %s: %v", key, name, err)
		}
		got = append(got, p...)
	}
	for _, p := range st.header.Pieces {
		read(p.Key, driver.Range{})
	}
	for _, r := range st.refs() {
		read(r.Key, driver.Range{Off: r.Off, Len: r.Size})
	}
	if !bytes.Equal(got, content) {
		m.t.Errorf("%s has %d other bytes, want %d", name, len(got), len(content))
	}
}
