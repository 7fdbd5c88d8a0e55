package integration_test

import (
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awscreds "github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/distribution/distribution/v3/configuration"
	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/integration/emulator"
)

// failTime is how long a request may take that can't be served, with impatient retries.
const failTime = 10 * time.Second

// impatient has a store that is out of order given up soon.
func impatient(s configuration.Storage) configuration.Storage {
	s["blobdock"]["retry_total"] = "500ms"
	return s
}

// wantUnavailable checks an answer that is the store's fault.
func wantUnavailable(t testing.TB, r reply) {
	t.Helper()
	r.want(t, http.StatusServiceUnavailable)
	if n, err := strconv.Atoi(r.Header.Get("Retry-After")); err != nil || n < 1 {
		t.Errorf("Retry-After %q, want seconds", r.Header.Get("Retry-After"))
	}
	if !strings.Contains(r.body, "UNAVAILABLE") || strings.Contains(r.body, "AKIA") || strings.Contains(r.body, "127.0.0.1") {
		t.Errorf("body %s, want UNAVAILABLE and nothing about the store", r.body)
	}
}

// TestStoreRefuses serves from stores that can't work. Everything is answered in
// bounded time by 503.
func TestStoreRefuses(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and never answers
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	closed := "http://" + freeAddr(t)
	onEach(t, func(t *testing.T, store cloud) {
		bucket := store.newBucket(t)
		silent := impatient(on(t, store.at("http://"+l.Addr().String()), bucket))
		silent["blobdock"]["stall_timeout"] = "500ms"
		for _, tc := range []struct {
			name    string
			storage configuration.Storage
		}{
			{"unknown bucket", impatient(on(t, store, "blobdock-no-such-bucket"))},
			{"wrong key", impatient(on(t, store.wrong(), bucket))},
			{"closed port", impatient(on(t, store.at(closed), bucket))},
			{"silent", silent},
		} {
			t.Run(tc.name, func(t *testing.T) {
				t.Parallel()
				refuses(t, serve(t, tc.storage).URL)
			})
		}
	})
}

// refuses asks for a bit of everything.
func refuses(t *testing.T, base string) {
	t.Helper()
	d := content{100, 1}.digest().String()
	for _, r := range []struct{ method, path string }{
		{http.MethodPut, strings.TrimPrefix(withDigest(begin(t, base, "a"), digest.FromString("")), base)},
		{http.MethodGet, "/v2/a/blobs/" + d},
		{http.MethodGet, "/v2/a/manifests/latest"},
		{http.MethodGet, "/v2/a/tags/list"},
	} {
		began := time.Now()
		res := do(t, r.method, base+r.path, nil, nil)
		took := time.Since(began)
		t.Logf("%s %s: %d in %v", r.method, r.path, res.StatusCode, took.Round(time.Millisecond))
		if took > failTime {
			t.Errorf("%s %s took %v, want at most %v", r.method, r.path, took, failTime)
		}
		wantUnavailable(t, res)
	}
}

// TestReadOnly serves from a bucket that allows reading alone. Pulls work, a push
// is refused and leaves nothing.
func TestReadOnly(t *testing.T) {
	s := emulator.Start(t)
	store, bucket := onMinIO(s), s.NewBucket(t)
	c := content{kib, 1}
	push(t, serve(t, on(t, store, bucket)).URL, "public", c, 0)
	allow(t, s, bucket, "s3:GetObject", "s3:ListBucket", "s3:GetBucketLocation")
	inside := look(t, store, bucket)
	before := keys(t, inside)

	base := serve(t, blobdock(store.bare(bucket)+"&anonymous=true")).URL
	pull(t, base, "public", c.digest(), c.size)
	other := content{kib, 2}
	wantUnavailable(t, do(t, http.MethodPut, withDigest(begin(t, base, "public"), other.digest()), nil, other.reader()))
	if after := keys(t, inside); len(after) != len(before) {
		t.Errorf("a refused push leaves %v", after)
	}
}

// allow lets everybody do the actions on a bucket.
func allow(t *testing.T, s emulator.S3, bucket string, actions ...string) {
	t.Helper()
	client := s3.New(s3.Options{
		BaseEndpoint: aws.String(s.Endpoint), Region: s.Region, UsePathStyle: true,
		Credentials: awscreds.NewStaticCredentialsProvider(s.AccessKey, s.SecretKey, ""),
	})
	policy := fmt.Sprintf(`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": ["*"]},
		"Action": ["%s"], "Resource": ["arn:aws:s3:::%s", "arn:aws:s3:::%s/*"]}]}`, strings.Join(actions, `", "`), bucket, bucket)
	if _, err := client.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: &bucket, Policy: &policy}); err != nil {
		t.Fatal(err)
	}
}

// TestOutage stops the store in the midst of a push. The registry says so, and
// once the store is back the push goes on.
func TestOutage(t *testing.T) {
	m := emulator.NewMinIO(t)
	store, bucket := onMinIO(m.S3), m.NewBucket(t)
	base := serve(t, impatient(on(t, store, bucket))).URL
	inside := look(t, store, bucket)
	c := content{60 * mib, 3}
	const acknowledged = 20 * mib
	before := patch(t, begin(t, base, "outage"), c, 0, acknowledged)
	objects := len(keys(t, inside))

	// The store goes away while the body flows.
	goOn := make(chan struct{})
	body := stallAt(c, acknowledged, acknowledged, goOn)
	answers := make(chan reply, 1)
	go func() {
		res, err := send(t, http.MethodPatch, before, nil, body, c.size-acknowledged)
		if err != nil {
			t.Error(err)
		}
		answers <- res
	}()
	<-body.reached
	m.Stop(t)
	close(goOn)
	began := time.Now()
	res := <-answers
	if res.Response == nil {
		t.FailNow()
	}
	t.Logf("PATCH: %d after %v", res.StatusCode, time.Since(began).Round(time.Millisecond))
	wantUnavailable(t, res)
	began = time.Now()
	wantUnavailable(t, do(t, http.MethodPut, withDigest(before, c.digest()), nil, nil))
	if took := time.Since(began); took > failTime {
		t.Errorf("PUT fails after %v, want at most %v", took, failTime)
	}

	m.Restart(t)
	if got := len(keys(t, inside)); got != objects {
		t.Errorf("%d objects after the outage, %d before", got, objects)
	}
	status := do(t, http.MethodGet, before, nil, nil).want(t, http.StatusNoContent)
	var last int64
	if _, err := fmt.Sscanf(status.Header.Get("Range"), "0-%d", &last); err != nil || last+1 < acknowledged {
		t.Fatalf("status %q after the outage, want at least %d bytes", status.Header.Get("Range"), acknowledged)
	}
	at := patch(t, status.location(), c, last+1, c.size)
	put(t, at, c.digest(), nil)
	pull(t, base, "outage", c.digest(), c.size)
	wantNoUploads(t, inside)
}
