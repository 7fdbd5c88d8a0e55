package integration_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/blobdock/blobdock/integration/emulator"
	"github.com/blobdock/blobdock/integration/laws"
)

// TestConditionsIgnored serves from an S3 store that takes conditional writes and
// overwrites all the same. The program finds that out at its start, says so, and does
// without; two clients that write to one upload at once then mix nothing up.
func TestConditionsIgnored(t *testing.T) {
	t.Parallel()
	s := emulator.Start(t)
	store, bucket := onMinIO(s), s.NewBucket(t)
	// Signatures would break without these headers, so everybody may do everything.
	allow(t, s, bucket, "s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListBucket",
		"s3:ListBucketMultipartUploads", "s3:ListMultipartUploadParts")
	forgetful, proxy := store.through(t)
	proxy.Intercept(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		r.Header.Del("If-None-Match")
		r.Header.Del("If-Match")
		next.ServeHTTP(w, r)
	})
	storage := forgetful.bare(bucket) + "&anonymous=true" + smallParts
	if got := adapt(t, storage); got.Options["conditions"] != "none" || len(got.Gaps) == 0 || !got.Gaps[0].Ignored {
		t.Errorf("Adapt: %+v, want conditions=none, as they are ignored", got)
	}
	if got := adapt(t, store.url(t, bucket)); len(got.Gaps) != 0 || len(got.Options) != 0 {
		t.Errorf("Adapt of MinIO itself: %+v", got)
	}

	p := serving(t, nil, byFile(t, storage))
	for _, want := range []string{"does not honour all conditional writes", "conditions=none is taken"} {
		if !strings.Contains(p.stderr.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, p.stderr.String())
		}
	}
	inside := look(t, store, bucket)
	for i := range uint64(5) {
		one, two := content{11 * mib, 2 * i}, content{11 * mib, 2*i + 1}
		at := begin(t, p.url, "race")
		var wg sync.WaitGroup
		for _, c := range []content{one, two} {
			wg.Go(func() { // the answer is that of a race
				if res, err := send(t, http.MethodPatch, at, nil, c.reader(), c.size); err != nil || res.StatusCode >= http.StatusInternalServerError {
					t.Errorf("PATCH: %v %v", res.Response, err)
				}
			})
		}
		wg.Wait()
		if at = do(t, http.MethodGet, at, nil, nil).location(); at != "" {
			for _, c := range []content{one, two} {
				if res := do(t, http.MethodPut, withDigest(at, c.digest()), nil, nil); res.StatusCode == http.StatusCreated {
					pull(t, p.url, "race", c.digest(), c.size)
				}
			}
		}
		push(t, p.url, "race", one, 0)
		pull(t, p.url, "race", one.digest(), one.size)
	}
	wantSound(t, inside)
}

// TestAdaptUnderLaws names neither a profile nor conditions: the store's replies and its answers to
// conditional writes tell.
func TestAdaptUnderLaws(t *testing.T) {
	t.Parallel()
	for set, conditions := range map[string]string{
		"conditions-refused":     "none",
		"conditions-ignored":     "none",
		"if-match-quoted":        "put-if-absent,complete-if-absent",
		"complete-unconditional": "put-if-absent,put-if-match",
		"full-object-sum":        "", // all are honoured
	} {
		t.Run(set, func(t *testing.T) {
			s, _ := laws.S3(t, emulator.Start(t), laws.Options{}, set)
			c := s3Cloud{S3: s, lawful: true}
			got := adapt(t, c.url(t, c.newBucket(t)))
			if got.Options["profile"] != "minio" || got.Options["conditions"] != conditions {
				t.Errorf("got %+v, want profile=minio and conditions=%s", got, conditions)
			}
		})
	}
}
