package upload

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/blobstore/internal/memory"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/driver/retry"
	"github.com/blobdock/blobdock/internal/layout"
)

var modelSeed = flag.Uint64("model.seed", 0, "the only seed that TestModel runs")

// TestModel has clients push, race, disconnect, repeat, give up and cancel through several
// replicas of the engine, on the imitation of each store, while the store fails, loses
// answers, throttles and delivers damaged states, others leave truncated blobs, replicas
// are killed, and sweeps run. After each run:
//
//   - nothing is under a digest but what has it,
//   - what was acknowledged and not ended is there, and can be committed; a verdict has
//     ended nothing but its branch,
//   - what was answered by success is published and linked,
//   - once all is swept, nothing of the uploads is left, and no memory is held.
func TestModel(t *testing.T) {
	seeds := 40
	if os.Getenv("BLOBDOCK_TEST_FULL") != "" {
		seeds = 1300 // on 8 stores
	}
	for _, name := range slices.Sorted(maps.Keys(mem.Imitations())) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first, last := uint64(1), uint64(seeds)
			if *modelSeed != 0 {
				first, last = *modelSeed, *modelSeed
			}
			for seed := first; seed <= last && !t.Failed(); seed++ {
				synctest.Test(t, func(t *testing.T) {
					defer func() {
						if t.Failed() {
							t.Logf("repeat with -run 'TestModel/%s' -model.seed=%d", name, seed)
						}
					}()
					runModel(t, mem.Imitations()[name], seed)
				})
			}
		})
	}
}

// model is what the clients know.
type model struct {
	t       *testing.T
	rand    *rand.Rand
	options mem.Options
	bucket  driver.Bucket // without the storm
	storm   *storm
	engines []*Engine
	budgets []*memory.Budget
	kills   []chan struct{} // closed when the replica dies
	looker  *Engine         // without the storm, to look at states
	parts   int64           // that the budget has room for

	mu      sync.Mutex
	deletes int                      // blobs that were deleted or truncated by others
	planted map[digest.Digest][]byte // what others have left under digests
	uploads []*modelUpload
}

// modelUpload is one upload: the content behind each id that a client was given.
type modelUpload struct {
	ids map[string][]byte
	// born tells how many ids there were before an id.
	born map[string]int
	// doomed are ids that a verdict may have ended for another reason than their content.
	doomed map[string]bool
	// verdicts are the contents on which there was a verdict. They ended no more than
	// the states on the way there.
	verdicts [][]byte
	// Requests that may end the upload: those under way, and how many there were. One
	// that failed in passing has ended nothing.
	ending, endings int
	ended           bool
	cancelled       bool // or so somebody has tried
	// attempts are what requests have tried to make the content.
	attempts [][]byte
}

func newModelUpload(first string) *modelUpload {
	u := &modelUpload{ids: make(map[string][]byte), born: make(map[string]int), doomed: make(map[string]bool)}
	u.ids[first] = nil
	return u
}

// add notes that a request has been told of another id.
func (u *modelUpload) add(p promise, name string, content []byte) {
	if _, known := u.ids[name]; known {
		return
	}
	// It may have been begun from what a verdict has ended meanwhile.
	u.doomed[name] = u.gone(p.id) || len(u.verdicts) != p.verdicts
	u.born[name], u.ids[name] = len(u.ids), content
}

// gone reports whether a verdict may have ended what the id names. A first id names no
// object that could be deleted.
func (u *modelUpload) gone(name string) bool {
	return u.doomed[name] || !isFirst(name) && slices.ContainsFunc(u.verdicts, func(v []byte) bool { return bytes.HasPrefix(v, u.ids[name]) })
}

// verdict notes the verdict on some content, or its success unknown to the client, by a
// request that began when there were so many ids. Those told of since may have been begun from what it has ended.
func (u *modelUpload) verdict(content []byte, ids int) {
	u.verdicts = append(u.verdicts, content)
	for name, n := range u.born {
		if n >= ids && !isFirst(name) {
			u.doomed[name] = true
		}
	}
}

func isFirst(name string) bool { return name[strings.LastIndexByte(name, '.')+1] == macMark }

// log tells of a request when a single seed is looked at.
func (m *model) log(format string, args ...any) {
	if *modelSeed != 0 {
		m.t.Logf(time.Now().Format("15:04:05.000 ")+format, args...)
	}
}

// attempt notes what a request tries to make the upload's content.
func (m *model) attempt(u *modelUpload, content []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u.attempts = append(u.attempts, content)
}

// found notes an id that a status request has told of. Its content is the beginning of
// what some request has sent.
func (m *model) found(held promise, name string, size int64) {
	i, err := m.looker.parseID(name, "repo")
	if err != nil {
		m.t.Errorf("status tells of id %s: %v", name, err)
		return
	}
	if i.first() {
		return
	}
	st, err := m.looker.load(context.Background(), m.looker.folder("repo", i.uuid), "repo", i)
	if err != nil {
		if m.holds(held) {
			m.t.Errorf("status tells of %s, and its state: %v", name, err)
		}
		return
	}
	hs, err := resumeHashes(st.header.hashStates)
	if err != nil {
		m.t.Error(err)
		return
	}
	got, _ := hs.digest(digest.SHA256)
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range held.u.attempts {
		if int64(len(p)) >= size && digest.FromBytes(p[:size]) == got {
			held.u.add(held, name, p[:size:size])
			return
		}
	}
	m.t.Errorf("status tells of %s: nobody has sent that", name)
}

// promise is what an upload that nobody ends is held to while a request runs.
type promise struct {
	u  *modelUpload
	id string
	// How many of each there were.
	endings, ids, verdicts, damages int
	mayEnd                          bool
}

// begin notes that a request to an id begins; ends tells that it may end the upload.
func (m *model) begin(u *modelUpload, id string, ends bool) promise {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := promise{u, id, u.endings, len(u.ids), len(u.verdicts), m.storm.damaged(), u.ended || u.ending > 0}
	if ends {
		u.ending++
		u.endings++
		p.endings++
	}
	return p
}

// holds reports whether nobody else may have ended the upload since.
func (m *model) holds(p promise) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !p.mayEnd && !p.u.ended && p.u.endings == p.endings && !p.u.gone(p.id)
}

// damaged reports whether a state may have been delivered damaged since.
func (m *model) damaged(p promise) bool { return m.storm.damaged() != p.damages }

// end notes that a request which might end the upload is over.
func (m *model) end(p promise, ended bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p.u.ending--
	p.u.ended = p.u.ended || ended
}

// endBranch notes that such a request was answered by a verdict on some content.
func (m *model) endBranch(p promise, content []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p.u.ending--
	p.u.verdict(content, p.ids)
}

func runModel(t *testing.T, o mem.Options, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	m := &model{t: t, rand: r, options: small(o), bucket: mem.NewWith(small(o)), planted: make(map[digest.Digest][]byte)}
	// Half of the stores that have multipart uploads list them by their key alone.
	m.bucket = driver.WithFeatures(m.bucket, func(f *driver.Features) {
		f.UploadsByKey = f.Concat == nil && seed%2 == 0
	})
	m.storm = &storm{rand: rand.New(rand.NewPCG(seed, 2))}
	m.engines, m.budgets, m.kills = make([]*Engine, 3), make([]*memory.Budget, 3), make([]chan struct{}, 3)
	m.parts = []int64{5, 8, 16}[r.IntN(3)]
	m.looker = New(m.bucket, testOptions(memory.New(1<<20)))
	for i := range m.engines {
		m.start(i)
	}
	clients := 1 + r.IntN(3)
	var wg sync.WaitGroup
	for c := range clients {
		cr := rand.New(rand.NewPCG(seed, uint64(10+c)))
		wg.Go(func() {
			for range 12 {
				m.step(cr)
			}
		})
	}
	wg.Wait()
	m.storm.mu.Lock()
	m.storm.calm = true
	m.storm.mu.Unlock()
	m.judge()
}

// start makes replica i, or makes it anew as after a crash.
func (m *model) start(i int) {
	m.budgets[i], m.kills[i] = memory.New(m.parts*testPart), make(chan struct{})
	o := testOptions(m.budgets[i])
	o.Retry = retry.Policy{Attempts: 3}
	m.engines[i] = New(retry.Wrap(killable(m.storm.wrap(m.bucket), m.kills[i]), o.Retry), o)
}

func (m *model) engine(r *rand.Rand) *Engine {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.engines[r.IntN(len(m.engines))]
}

// step is one request of a client's.
func (m *model) step(r *rand.Rand) {
	u, id, content := m.pick(r)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if r.IntN(8) == 0 { // the client goes away
		d := time.Duration(r.IntN(200)) * time.Millisecond
		time.AfterFunc(d, cancel)
	}
	switch k := r.IntN(22); {
	case u == nil || k < 2:
		m.create(r)
	case k < 10:
		m.patch(ctx, r, u, id, content)
	case k < 15:
		m.commit(ctx, r, u, id, content)
	case k < 16:
		m.cancel(ctx, r, u, id)
	case k < 18:
		m.status(ctx, r, u, id, content)
	case k < 19:
		m.mu.Lock()
		i := r.IntN(len(m.engines))
		close(m.kills[i])
		m.start(i)
		m.mu.Unlock()
	case k == 19:
		// Nothing is that old but what rests.
		if r.IntN(4) == 0 {
			m.expire()
			time.Sleep(DefaultMaxAge + 25*time.Hour)
			m.expire()
		}
		_, _ = m.engine(r).Sweep(context.Background(), SweepOptions{Age: DefaultMaxAge + 24*time.Hour})
	case k == 20 && r.IntN(4) == 0:
		m.deleteBlob(r)
	case k == 20:
		m.closed(ctx, r, u, id, content)
	default:
		// A writer that distribution drops.
		w, err := m.engine(r).Resume(ctx, "repo", id, Request{Length: -1})
		if err == nil {
			_ = w.Size()
		}
	}
}

// pick chooses an upload, mostly one of the newest, and one of its ids.
func (m *model) pick(r *rand.Rand) (*modelUpload, string, []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.uploads) == 0 {
		return nil, "", nil
	}
	u := m.uploads[len(m.uploads)-1-r.IntN(min(2, len(m.uploads)))]
	ids := slices.SortedFunc(maps.Keys(u.ids), func(a, b string) int { return len(u.ids[b]) - len(u.ids[a]) })
	id := ids[0]
	if r.IntN(4) == 0 {
		id = ids[r.IntN(len(ids))]
	}
	return u, id, u.ids[id]
}

// expire notes that all uploads may be too old soon, or are.
func (m *model) expire() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, u := range m.uploads {
		u.ended = true
	}
}

// deleteBlob deletes a blob, as garbage collection does.
func (m *model) deleteBlob(r *rand.Rand) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := layout.Layout{Root: "root"}
	var keys []string
	for e, err := range driver.List(context.Background(), m.bucket, driver.ListRequest{Prefix: l.Blobs()}) {
		if err != nil {
			m.t.Error(err)
			return
		}
		keys = append(keys, e.Key)
	}
	if len(keys) == 0 {
		return
	}
	m.deletes++
	if err := m.bucket.Delete(context.Background(), keys[r.IntN(len(keys))], driver.DeleteOptions{}); err != nil && !errors.Is(err, driver.Throttled) {
		m.t.Error(err)
	}
}

// plant leaves a truncated blob, as a tool that copies buckets does when it dies. Where the
// store reports checksums it may be a blob of other bytes, unless the digest was published:
// a PUT that is repeated has nothing but the digest to compare with.
func (m *model) plant(d digest.Digest, content []byte, other bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := layout.Layout{Root: "root"}
	key := l.Blob(d)
	bad := content[:len(content)/2]
	_, err := m.bucket.Stat(context.Background(), l.LayerLink("repo", d))
	switch {
	case len(content) == 0:
		bad = []byte("x")
	case other && m.bucket.Features().StatChecksums != nil && errors.Is(err, driver.NotFound):
		bad = flippedByte(content)
	}
	m.deletes++
	if _, err := m.bucket.Put(context.Background(), key, io.NewSectionReader(bytes.NewReader(bad), 0, int64(len(bad))), driver.WriteOptions{}); errors.Is(err, driver.Throttled) {
		return
	} else if err != nil {
		m.t.Error(err)
	}
	m.planted[d] = bad
}

func (m *model) deleted() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.deletes
}

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

// judge looks at what there is, when the storm is over.
func (m *model) judge() {
	ctx := context.Background()
	time.Sleep(time.Minute) // what still goes on in the background
	l := layout.Layout{Root: "root"}
	for e, err := range driver.List(ctx, m.bucket, driver.ListRequest{Prefix: l.Blobs()}) {
		if err != nil {
			m.t.Fatal(err)
		}
		rd, err := m.bucket.Open(ctx, e.Key, driver.Range{}, driver.ReadOptions{})
		if err != nil {
			m.t.Fatal(err)
		}
		name, _ := l.Parse(e.Key)
		p, err := io.ReadAll(rd)
		_ = rd.Close()
		if got := name.Digest.Algorithm().FromBytes(p); err != nil || got != name.Digest && !bytes.Equal(p, m.planted[name.Digest]) {
			m.t.Errorf("%s holds %d bytes of %s (%v)", e.Key, len(p), got, err)
		}
	}
	// Acknowledged bytes can be committed, by a replica that knows nothing of them.
	m.start(0)
	for _, u := range m.uploads {
		if u.ended {
			continue
		}
		var longest string
		for _, id := range slices.Sorted(maps.Keys(u.ids)) {
			if u.gone(id) {
				continue
			}
			p, err := m.engines[0].Status(ctx, "repo", id)
			if err != nil || p.Size < int64(len(u.ids[id])) {
				m.t.Errorf("%s, %d bytes of which were acknowledged: %+v, %v", id, len(u.ids[id]), p, err)
				continue
			}
			m.found(m.begin(u, id, false), p.ID, p.Size)
			m.readable(id, u.ids[id])
		}
		for _, id := range slices.Sorted(maps.Keys(u.ids)) {
			if !u.gone(id) && (longest == "" || len(u.ids[id]) > len(u.ids[longest])) {
				longest = id
			}
		}
		content := u.ids[longest]
		d := digest.FromBytes(content)
		if err := m.put(ctx, m.rand, longest, d, 0, nil); err != nil {
			m.t.Errorf("commit of %s, which was acknowledged: %v", longest, err)
			continue
		}
		m.published(d, content, true)
	}
	for i, e := range m.engines {
		if err := e.Close(ctx); err != nil {
			m.t.Error(err)
		}
		if u := m.budgets[i].Usage(); u.Used != 0 || u.Waiting != 0 {
			m.t.Errorf("replica %d: %+v", i, u)
		}
	}
	time.Sleep(time.Hour)
	o := testOptions(memory.New(1 << 20))
	e := New(retry.Wrap(m.bucket, retry.Policy{}), o)
	if _, err := e.Sweep(ctx, SweepOptions{Age: time.Minute}); err != nil {
		m.t.Errorf("sweep: %v", err)
	}
	for entry, err := range driver.List(ctx, m.bucket, driver.ListRequest{}) {
		if err != nil {
			m.t.Fatal(err)
		}
		if strings.HasPrefix(entry.Key, l.Uploads()) {
			m.t.Errorf("%s is left", entry.Key)
		}
	}
	for u, err := range driver.ListUploads(ctx, m.bucket, driver.ListRequest{}) {
		if err != nil {
			m.t.Fatal(err)
		}
		if m.bucket.Features().UploadsByKey {
			m.t.Errorf("a multipart upload to %s is left: %+v", u.Key, u)
		}
	}
	if err := e.Close(ctx); err != nil {
		m.t.Error(err)
	}
}
