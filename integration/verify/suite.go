package verify

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/drivertest"
)

// Suite runs the conformance suite of package driver below the place that rawURL names. It
// sends throttled requests again. brief leaves out the clause that takes a thousand requests.
func Suite(t *testing.T, rawURL string, brief bool) {
	t.Helper()
	at, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal("the URL can't be parsed")
	}
	var counter requests
	open := func(t testing.TB, at *url.URL) driver.Bucket {
		t.Helper()
		b, err := driver.Open(t.Context(), at.String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = b.Close() })
		return counter.patient(b)
	}
	atInterrupt := new(cleanups)
	defer atInterrupt.watch()()
	made := 0
	newBucket := func(t testing.TB) driver.Bucket {
		t.Helper()
		made++
		own := *at
		own.Path += fmt.Sprintf("/%03d", made)
		begun := new(keys)
		b := begun.watch(open(t, &own), "")
		tidy := func() {
			ctx, cancel := context.WithTimeout(context.Background(), removeTime)
			defer cancel()
			remove(ctx, b, begun.list()) // what stays, the run's end finds
		}
		done := atInterrupt.add(tidy)
		t.Cleanup(func() {
			tidy()
			done()
		})
		return b
	}
	f := newBucket(t).Features()
	h := drivertest.Harness{
		New:      newBucket,
		Requests: counter.sent.Load, Costs: Costs(f.Name), Exceptions: Exceptions(f.Name),
		ListsUploadsByKey: listsByKey(f.Name),
		MaxKey:            driver.MaxKey - len(strings.Trim(at.Path, "/")) - len("/000/"),
		Steps:             150, Brief: brief,
	}
	if brief {
		h.Steps = 30
	}
	missing := *at
	missing.Host = "blobdock-no-bucket-" + strings.ToLower(rand.Text()[:12])
	if reachable(t, &missing) {
		h.Missing = func(t testing.TB) driver.Bucket { return open(t, &missing) }
	} else {
		t.Log("bucket-not-key is left out: these credentials may not ask for other buckets")
	}
	drivertest.Run(t, h)
	t.Logf("%s%d requests, %d of them throttled", suiteCount, counter.sent.Load()+counter.throttled.Load(), counter.throttled.Load())
}

// suiteCount begins the line that tells what a suite has sent.
const suiteCount = "conformance: "

// reachable reports whether the credentials may ask for a bucket that does not exist.
func reachable(t *testing.T, at *url.URL) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	b, err := driver.Open(ctx, at.String())
	if err != nil {
		return false
	}
	defer b.Close()
	_, err = b.ListPage(ctx, driver.ListRequest{Limit: 1})
	return !errors.Is(err, driver.Denied)
}
