package drivertest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/blobdock/blobdock/driver"
)

// write is a conditional write of data to key, in one of the ways there are.
type write struct {
	name  string
	conds driver.CondSet
	do    func(t testing.TB, b driver.Bucket, key string, data []byte, c driver.Cond) (driver.Object, error)
}

// writes are the ways that f offers.
func writes(f driver.Features) []write {
	ways := []write{{"Put", f.Conds.Put, func(t testing.TB, b driver.Bucket, key string, data []byte, c driver.Cond) (driver.Object, error) {
		return b.Put(t.Context(), key, section(data), under(c))
	}}}
	if f.Uploads != nil {
		ways = append(ways, write{"CompleteUpload", f.Conds.Complete, func(t testing.TB, b driver.Bucket, key string, data []byte, c driver.Cond) (driver.Object, error) {
			u, parts := uploaded(t, b, key, data)
			obj, err := b.Features().Uploads.CompleteUpload(t.Context(), u, parts, c)
			if err != nil {
				abort(t, b, u)
			}
			return obj, err
		}})
	}
	if f.Copy != nil {
		ways = append(ways, write{"Copy", f.Conds.Copy, func(t testing.TB, b driver.Bucket, key string, data []byte, c driver.Cond) (driver.Object, error) {
			put(t, b, "copied", data)
			return b.Features().Copy(t.Context(), driver.CopyRequest{Src: driver.Source{Key: "copied"}, Dst: key, Options: under(c)})
		}})
	}
	if f.Concat != nil {
		ways = append(ways, write{"Concat", f.Conds.Concat, func(t testing.TB, b driver.Bucket, key string, data []byte, c driver.Cond) (driver.Object, error) {
			half := len(data) / 2
			sources := []driver.Object{put(t, b, "first half", data[:half]), put(t, b, "second half", data[half:])}
			return b.Features().Concat(t.Context(), driver.ConcatRequest{Key: key, Sources: sources, Options: under(c)})
		}})
	}
	return ways
}

func condHonoured(t *testing.T, s suite) {
	for _, w := range writes(s.New(t).Features()) {
		t.Run(w.name, func(t *testing.T) {
			b := s.New(t)
			do := func(key, data string, c driver.Cond) error {
				_, err := w.do(t, b, key, []byte(data), c)
				return err
			}
			if !w.conds.Allows(ifAbsent) {
				wantKind(t, "IfAbsent", do("new", "x", ifAbsent), driver.Unsupported)
				wantAbsent(t, b, "new")
			} else {
				noError(t, "IfAbsent at an absent key", do("new", "first", ifAbsent))
				wantKind(t, "IfAbsent at a present key", do("new", "second", ifAbsent), driver.Exists)
				wantContent(t, b, "new", []byte("first"))
				noError(t, "Delete", b.Delete(t.Context(), "new", driver.DeleteOptions{}))
				noError(t, "IfAbsent after Delete", do("new", "third", ifAbsent))
				wantContent(t, b, "new", []byte("third"))
				put(t, b, "empty", nil)
				wantKind(t, "IfAbsent at an empty object", do("empty", "x", ifAbsent), driver.Exists)
			}
			first := put(t, b, "old", []byte("first")).ETag
			if !w.conds.Allows(ifMatch(first)) {
				wantKind(t, "IfMatch", do("old", "other", ifMatch(first)), driver.Unsupported)
				wantContent(t, b, "old", []byte("first"))
				return
			}
			noError(t, "IfMatch with the ETag that is there", do("old", "other", ifMatch(first)))
			wantContent(t, b, "old", []byte("other"))
			wantKind(t, "IfMatch with an older ETag", do("old", "third", ifMatch(first)), driver.Mismatch)
			wantContent(t, b, "old", []byte("other"))
			wantKind(t, "IfMatch at an absent key", do("gone", "x", ifMatch(first)), driver.Mismatch)
			wantAbsent(t, b, "gone")
		})
	}
}

const racers = 16

func oneWinsIfAbsent(t *testing.T, s suite) {
	b := s.New(t)
	for round := range 3 {
		key := fmt.Sprintf("race-%d", round)
		winner := race(t, b, key, ifAbsent, driver.Exists)
		wantContent(t, b, key, racerBody(winner))
	}
}

func oneWinsIfMatch(t *testing.T, s suite) {
	b := s.New(t)
	etag := put(t, b, "race", []byte("start")).ETag
	for range 3 {
		winner := race(t, b, "race", ifMatch(etag), driver.Mismatch)
		wantContent(t, b, "race", racerBody(winner))
		etag = must[driver.Object](t, "Stat")(b.Stat(t.Context(), "race")).ETag
		put(t, b, "race", fmt.Appendf(nil, "between %s", etag))
		etag = must[driver.Object](t, "Stat")(b.Stat(t.Context(), "race")).ETag
	}
}

func racerBody(i int) []byte { return fmt.Appendf(nil, "racer %02d", i) }

// race lets racers write to key at once under c, of which one must win and the
// others lose with the kind lost.
func race(t *testing.T, b driver.Bucket, key string, c driver.Cond, lost driver.Kind) (winner int) {
	t.Helper()
	var wins, winnerIs atomic.Int64
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range racers {
		wg.Go(func() {
			<-start
			err := putPatiently(t, b, key, racerBody(i), c)
			switch {
			case err == nil:
				wins.Add(1)
				winnerIs.Store(int64(i))
			case !errors.Is(err, lost):
				t.Errorf("racer %d: got %v, want %v", i, err, lost)
			}
		})
	}
	close(start)
	wg.Wait()
	if n := wins.Load(); n != 1 {
		t.Fatalf("%d of %d racers won, want 1", n, racers)
	}
	return int(winnerIs.Load())
}

// putPatiently repeats a Put that the store throttles or refuses in passing: some do that
// to conditional writes that meet at one key.
func putPatiently(t testing.TB, b driver.Bucket, key string, data []byte, c driver.Cond) error {
	for end := time.Now().Add(10 * time.Second); ; {
		_, err := b.Put(t.Context(), key, section(data), under(c))
		if time.Now().After(end) || driver.OutcomeUnknown(err) || !driver.KindOf(err).Temporary() {
			return err
		}
		time.Sleep(rand.N(20 * time.Millisecond))
	}
}
