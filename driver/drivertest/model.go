package drivertest

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
)

var seed = flag.Uint64("drivertest.seed", 0, "seed of the random walk beside the model; 0 takes a random one")

// model takes a random walk on the driver under test and on mem in step.
func model(t *testing.T, s suite) {
	n := *seed
	if n == 0 {
		n = rand.Uint64()
	}
	t.Logf("repeat with -drivertest.seed=%d", n)
	stroll(t, s.New(t), rand.NewPCG(n, 0), s.Steps, leftOut{uploads: s.excepted(t, "model/uploads"), pins: s.excepted(t, "copy/changed")})
}

// Choices is a source for Walk that a fuzzer controls: each byte is one choice.
// When they run out, it goes on with a fixed sequence.
func Choices(data []byte) rand.Source {
	return &choices{data: data, rest: rand.NewPCG(1, 1)}
}

type choices struct {
	data []byte
	rest rand.Source
}

func (c *choices) Uint64() uint64 {
	if len(c.data) == 0 {
		return c.rest.Uint64()
	}
	b := c.data[0]
	c.data = c.data[1:]
	return uint64(b) * 0x0101010101010101
}

// Walk carries out steps operations, chosen by src, on b, which is empty, and on
// a model of it, and fails when sizes, contents, listings or kinds of errors
// differ.
func Walk(t testing.TB, b driver.Bucket, src rand.Source, steps int) {
	t.Helper()
	stroll(t, b, src, steps, leftOut{})
}

// leftOut is what a walk does without.
type leftOut struct{ uploads, pins bool } // pins are the ETags of sources of copies

func stroll(t testing.TB, b driver.Bucket, src rand.Source, steps int, without leftOut) {
	t.Helper()
	limits := b.Features().Parts
	w := &walk{
		t: t, b: b, rand: rand.New(src), f: b.Features(), without: without,
		m:     mem.NewWith(mem.Options{Parts: limits}),
		etags: map[string][]pair[string]{}, versions: map[string][]pair[string]{}, staged: map[string]bool{},
	}
	for w.step = range steps {
		w.next()
		if t.Failed() {
			t.Fatalf("step %d of the walk is the first that differs", w.step)
		}
	}
	w.list(driver.ListRequest{})
	for _, key := range walkKeys {
		w.read(key, driver.Range{})
	}
	for _, u := range w.uploads {
		abort(t, b, u.id.real)
	}
}

// pair is a value of the driver under test and the model's.
type pair[T any] struct{ real, model T }

type walk struct {
	t    testing.TB
	b    driver.Bucket
	m    *mem.Bucket
	f    driver.Features
	rand *rand.Rand
	step int
	// etags are those that a key ever had, the latest at the end.
	etags map[string][]pair[string]
	// versions are likewise what Delete takes for a version.
	versions map[string][]pair[string]
	uploads  []*walkUpload
	parts    int // put so far
	// staged are keys at which a failed Concat may have left parts, where uploads can't be compared:
	// Azurite takes these for an object when it puts one under IfAbsent.
	staged map[string]bool
	// without is what can't be compared.
	without leftOut
}

type walkUpload struct {
	id    pair[driver.Upload]
	parts map[int]pair[driver.Part]
}

// walkKeys never have one below the other, which a file system could not hold.
var walkKeys = []string{"a", "b-1", "b/1", "b/2", "b/c/1", "b0", "d e/%2F", "é/ü"}

// maxWalkParts bounds the bytes that a walk sends to stores with large parts.
const maxWalkParts = 12

func (w *walk) next() {
	key := pick(w, walkKeys)
	large := w.f.Parts.MinSize > mib && w.parts >= maxWalkParts
	switch n := w.rand.IntN(100); {
	case n < 22:
		w.put(key)
	case n < 36:
		w.read(key, driver.Range{Off: w.rand.Int64N(60), Len: w.rand.Int64N(60)})
	case n < 42:
		w.stat(key)
	case n < 52:
		w.delete(key)
	case n < 60:
		w.list(driver.ListRequest{Prefix: pick(w, []string{"", "", "b", "b/", "é", "x"}), Delimiter: pick(w, []string{"", "/"}), Limit: w.rand.IntN(4)})
	case n < 63 && w.f.Copy != nil:
		w.copy(key, pick(w, walkKeys))
	case n < 66:
		w.concat(key)
	case n < 68 && w.f.DeleteBatch != nil:
		w.deleteBatch([]string{key, pick(w, walkKeys)})
	case n < 78 && w.f.Uploads != nil && !w.without.uploads:
		w.create(key)
	case n < 88 && len(w.uploads) > 0 && !large:
		w.putPart(pick(w, w.uploads))
	case n < 91 && len(w.uploads) > 0 && !large && w.f.CopyPart != nil:
		w.copyPart(pick(w, w.uploads), key)
	case n < 97 && len(w.uploads) > 0:
		w.complete(pick(w, w.uploads))
	case len(w.uploads) > 0:
		w.abort(pick(w, w.uploads))
	default:
		w.put(key)
	}
}

func pick[T any](w *walk, from []T) T { return from[w.rand.IntN(len(from))] }

// same compares the outcomes of one operation and reports whether it succeeded.
func (w *walk) same(what string, realErr, modelErr error) bool {
	w.t.Helper()
	if (realErr == nil) != (modelErr == nil) || realErr != nil && driver.KindOf(realErr) != driver.KindOf(modelErr) {
		w.t.Errorf("step %d: %s: got %v, the model says %v", w.step, what, realErr, modelErr)
		return false
	}
	return realErr == nil
}

// wrote compares the objects that a write delivered, and keeps their ETags.
func (w *walk) wrote(what, key string, o pair[driver.Object], realErr, modelErr error) bool {
	w.t.Helper()
	if !w.same(what, realErr, modelErr) {
		return false
	}
	w.object(what, o)
	w.etags[key] = append(w.etags[key], pair[string]{o.real.ETag, o.model.ETag})
	w.versions[key] = append(w.versions[key], pair[string]{versionOf(o.real), versionOf(o.model)})
	return true
}

func (w *walk) object(what string, o pair[driver.Object]) {
	w.t.Helper()
	if o.real.Key != o.model.Key || o.real.Size != o.model.Size {
		w.t.Errorf("step %d: %s: got %+v, the model says %+v", w.step, what, o.real, o.model)
	}
}

// earlier is one of those that a key had. Where ETags stand for contents, a copy
// can bring back one that was there before: then it is the latest.
func (w *walk) earlier(had []pair[string]) pair[string] {
	e, last := pick(w, had), had[len(had)-1]
	if e.real == last.real {
		return last
	}
	return e
}

// cond chooses a condition, and reports whether the store honours it.
func (w *walk) cond(key string, set driver.CondSet) (c pair[driver.Cond], honoured bool) {
	switch n := w.rand.IntN(6); {
	case n == 0 && !w.staged[key]:
		c = pair[driver.Cond]{ifAbsent, ifAbsent}
	case n <= 2 && len(w.etags[key]) > 0:
		had := w.etags[key]
		e := had[len(had)-1]
		if n == 2 {
			e = w.earlier(had)
		}
		c = pair[driver.Cond]{ifMatch(e.real), ifMatch(e.model)}
	}
	return c, set.Allows(c.real)
}

// refused checks a write under a condition that the store does not honour.
func (w *walk) refused(what string, err error) {
	w.t.Helper()
	if !errors.Is(err, driver.Unsupported) {
		w.t.Errorf("step %d: %s under a condition that is not offered: %v", w.step, what, err)
	}
}

// fresh is content that no other step writes.
func (w *walk) fresh(size int64) []byte {
	data := bytes.Repeat([]byte{'.'}, int(size))
	copy(data, fmt.Sprintf("step %d;", w.step))
	return data
}

func (w *walk) put(key string) {
	w.t.Helper()
	data := w.fresh(20 + w.rand.Int64N(60))
	c, ok := w.cond(key, w.f.Conds.Put)
	what := fmt.Sprintf("Put(%q, %+v)", key, c.real)
	o := pair[driver.Object]{}
	var realErr, modelErr error
	o.real, realErr = w.b.Put(w.t.Context(), key, section(data), under(c.real))
	if !ok {
		w.refused(what, realErr)
		return
	}
	o.model, modelErr = w.m.Put(w.t.Context(), key, section(data), under(c.model))
	w.wrote(what, key, o, realErr, modelErr)
}

func (w *walk) read(key string, r driver.Range) {
	w.t.Helper()
	got, realErr := read(w.t, w.b, key, r, driver.ReadOptions{})
	want, modelErr := read(w.t, w.m, key, r, driver.ReadOptions{})
	what := fmt.Sprintf("Open(%q, %+v)", key, r)
	if w.same(what, realErr, modelErr) && !bytes.Equal(got, want) {
		w.t.Errorf("step %d: %s: got %d bytes %.20q, the model says %d bytes %.20q", w.step, what, len(got), got, len(want), want)
	}
}

func (w *walk) stat(key string) {
	w.t.Helper()
	got, realErr := w.b.Stat(w.t.Context(), key)
	want, modelErr := w.m.Stat(w.t.Context(), key)
	what := fmt.Sprintf("Stat(%q)", key)
	if w.same(what, realErr, modelErr) {
		w.object(what, pair[driver.Object]{got, want})
		if had := w.etags[key]; got.ETag != had[len(had)-1].real {
			w.t.Errorf("step %d: %s: ETag %s, the last write said %s", w.step, what, got.ETag, had[len(had)-1].real)
		}
	}
}

func (w *walk) delete(key string) {
	w.t.Helper()
	var o pair[driver.DeleteOptions]
	if had := w.versions[key]; len(had) > 0 && w.rand.IntN(2) == 0 && w.f.Conds.Delete.Allows(ifMatch("x")) {
		v := w.earlier(had[max(0, len(had)-2):])
		o.real.IfVersion, o.model.IfVersion = v.real, v.model
	}
	what := fmt.Sprintf("Delete(%q, %+v)", key, o.real)
	w.same(what, w.b.Delete(w.t.Context(), key, o.real), w.m.Delete(w.t.Context(), key, o.model))
}

// concat joins some objects, most of them by the versions that were written last.
func (w *walk) concat(to string) {
	w.t.Helper()
	var r pair[driver.ConcatRequest]
	for range w.rand.IntN(5) {
		key := pick(w, walkKeys)
		src := driver.Object{Key: key, Size: 50}
		if obj, err := w.m.Stat(w.t.Context(), key); err == nil {
			src.Size = obj.Size
		}
		pin := w.source(key, driver.Range{})
		src.ETag = pin.real.ETag
		r.real.Sources = append(r.real.Sources, src)
		src.ETag = pin.model.ETag
		r.model.Sources = append(r.model.Sources, src)
	}
	c, ok := w.cond(to, w.f.ConcatConds())
	r.real.Key, r.model.Key = to, to
	r.real.Options, r.model.Options = under(c.real), under(c.model)
	what := fmt.Sprintf("Concat(%+v)", r.real)
	var o pair[driver.Object]
	var realErr, modelErr error
	o.real, realErr = driver.Concat(w.t.Context(), w.b, r.real, joining(w.b))
	if !ok {
		w.refused(what, realErr)
		return
	}
	o.model, modelErr = driver.Concat(w.t.Context(), w.m, r.model, driver.CopyPlan{})
	if realErr != nil && w.without.uploads {
		w.staged[to] = true
	}
	if realErr != nil && modelErr != nil {
		return // which of the sources and the condition is looked at first is the store's choice
	}
	w.wrote(what, to, o, realErr, modelErr)
}

func (w *walk) deleteBatch(keys []string) {
	w.t.Helper()
	w.same(fmt.Sprintf("DeleteBatch(%q)", keys), w.f.DeleteBatch(w.t.Context(), driver.Refs(keys...)), w.m.Features().DeleteBatch(w.t.Context(), driver.Refs(keys...)))
}

func (w *walk) list(q driver.ListRequest) {
	w.t.Helper()
	if got, want := keysOf(w.t, w.b, q), keysOf(w.t, w.m, q); !cmp.Equal(got, want) {
		w.t.Errorf("step %d: List(%+v): got %q, the model says %q", w.step, q, got, want)
	}
}

// source chooses a version of key to read, mostly the latest.
func (w *walk) source(key string, r driver.Range) pair[driver.Source] {
	s := pair[driver.Source]{driver.Source{Key: key, Range: r}, driver.Source{Key: key, Range: r}}
	if had := w.etags[key]; len(had) > 0 && w.rand.IntN(3) == 0 && !w.without.pins {
		e := w.earlier(had[max(0, len(had)-2):])
		s.real.ETag, s.model.ETag = e.real, e.model
	}
	return s
}

func (w *walk) copy(from, to string) {
	w.t.Helper()
	if from == to {
		return // stores differ about that
	}
	c, ok := w.cond(to, w.f.Conds.Copy)
	s := w.source(from, driver.Range{})
	what := fmt.Sprintf("Copy(%+v, %q, %+v)", s.real, to, c.real)
	var o pair[driver.Object]
	var realErr, modelErr error
	o.real, realErr = w.f.Copy(w.t.Context(), driver.CopyRequest{Src: s.real, Dst: to, Options: under(c.real)})
	if !ok {
		w.refused(what, realErr)
		return
	}
	o.model, modelErr = w.m.Features().Copy(w.t.Context(), driver.CopyRequest{Src: s.model, Dst: to, Options: under(c.model)})
	if !c.real.IsZero() && realErr != nil && modelErr != nil {
		return // which end is looked at first is the store's choice
	}
	if o.real.Size < 0 {
		o.real.Size = o.model.Size // the store does not tell
	}
	w.wrote(what, to, o, realErr, modelErr)
}

func (w *walk) create(key string) {
	w.t.Helper()
	if len(w.uploads) >= 4 {
		w.abort(pick(w, w.uploads))
	}
	var u pair[driver.Upload]
	var realErr, modelErr error
	u.real, realErr = w.f.Uploads.CreateUpload(w.t.Context(), key, driver.WriteOptions{})
	u.model, modelErr = w.m.CreateUpload(w.t.Context(), key, driver.WriteOptions{})
	if w.same(fmt.Sprintf("CreateUpload(%q)", key), realErr, modelErr) {
		w.uploads = append(w.uploads, &walkUpload{id: u, parts: map[int]pair[driver.Part]{}})
	}
}

func (w *walk) putPart(u *walkUpload) {
	w.t.Helper()
	n := u.number(w)
	if w.rand.IntN(6) == 0 {
		n = 0 // is refused
	}
	data := w.fresh(max(w.f.Parts.MinSize, 30))
	if w.rand.IntN(4) == 0 {
		data = data[:20]
	}
	var p pair[driver.Part]
	var realErr, modelErr error
	p.real, realErr = w.f.Uploads.PutPart(w.t.Context(), u.id.real, n, section(data))
	p.model, modelErr = w.m.PutPart(w.t.Context(), u.id.model, n, section(data))
	if w.same(fmt.Sprintf("PutPart(%q, %d)", u.id.real.Key, n), realErr, modelErr) {
		u.parts[n] = p
		w.parts++
	}
}

func (w *walk) copyPart(u *walkUpload, key string) {
	w.t.Helper()
	n := u.number(w)
	s := w.source(key, driver.Range{Off: w.rand.Int64N(10), Len: 1 + w.rand.Int64N(10)})
	var p pair[driver.Part]
	var realErr, modelErr error
	p.real, realErr = w.f.CopyPart(w.t.Context(), u.id.real, n, s.real)
	p.model, modelErr = w.m.Features().CopyPart(w.t.Context(), u.id.model, n, s.model)
	if realErr != nil && isRefusal(modelErr) && driver.KindOf(realErr) == driver.OutOfRange {
		return
	}
	if w.same(fmt.Sprintf("CopyPart(%q, %d, %+v)", u.id.real.Key, n, s.real), realErr, modelErr) {
		u.parts[n] = p
		w.parts++
	}
}

// number is that of a part to put: the next one, or one that is there.
func (u *walkUpload) number(w *walk) int { return 1 + w.rand.IntN(min(len(u.parts)+1, 5)) }

// complete names all parts, or sometimes none, or one by a wrong ETag.
func (w *walk) complete(u *walkUpload) {
	w.t.Helper()
	var parts pair[[]driver.Part]
	none := w.rand.IntN(8) == 0
	for n := range 6 {
		if p, ok := u.parts[n]; ok && !none {
			parts.real = append(parts.real, p.real)
			parts.model = append(parts.model, p.model)
		}
	}
	if len(parts.real) > 0 && w.rand.IntN(8) == 0 {
		parts.real[0].ETag, parts.model[0].ETag = `"other"`, `"other"`
		if len(parts.real) > 1 {
			return // a wrong ETag and a wrong size may be found in any order
		}
	}
	var o pair[driver.Object]
	var realErr, modelErr error
	key := u.id.real.Key
	c, ok := w.cond(key, w.f.Conds.Complete)
	if !ok {
		return
	}
	o.real, realErr = w.f.Uploads.CompleteUpload(w.t.Context(), u.id.real, parts.real, c.real)
	o.model, modelErr = w.m.CompleteUpload(w.t.Context(), u.id.model, parts.model, c.model)
	what := fmt.Sprintf("completion of %q", key)
	if realErr != nil && modelErr != nil && isRefusal(realErr) && isRefusal(modelErr) {
		return // parts and condition may be looked at in any order
	}
	if w.wrote(what, key, o, realErr, modelErr) {
		w.read(key, driver.Range{})
		w.drop(u)
	}
}

// isRefusal reports whether err says that the request was looked at and found
// wanting.
func isRefusal(err error) bool {
	switch driver.KindOf(err) {
	case driver.Invalid, driver.Mismatch, driver.Exists:
		return true
	default:
		return false
	}
}

func (w *walk) abort(u *walkUpload) {
	w.t.Helper()
	w.same("AbortUpload", w.f.Uploads.AbortUpload(w.t.Context(), u.id.real), w.m.AbortUpload(w.t.Context(), u.id.model))
	w.drop(u)
}

func (w *walk) drop(u *walkUpload) {
	for i, other := range w.uploads {
		if other == u {
			w.uploads = append(w.uploads[:i], w.uploads[i+1:]...)
			return
		}
	}
}
