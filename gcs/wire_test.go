package gcs_test

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/gcs"
)

func TestErrors(t *testing.T) {
	doc := func(status int, reason string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", "7")
			w.Header().Set("X-Guploader-Uploadid", "req-1")
			w.WriteHeader(status)
			_, _ = fmt.Fprintf(w, `{"error":{"code":%d,"message":"said so","errors":[{"reason":%q}]}}`, status, reason)
		}
	}
	for _, tt := range []struct {
		name           string
		reply          func(http.ResponseWriter)
		cond           driver.Cond
		want           driver.Kind
		outcomeUnknown bool
	}{
		{"unauthorized", doc(401, "authError"), driver.Cond{}, driver.Denied, false},
		{"forbidden", doc(403, "forbidden"), driver.Cond{}, driver.Denied, false},
		{"retained", doc(403, "retentionPolicyNotMet"), driver.Cond{}, driver.Unsupported, false},
		{"held", doc(403, "objectUnderActiveHold"), driver.Cond{}, driver.Unsupported, false},
		{"rate by 403", doc(403, "rateLimitExceeded"), driver.Cond{}, driver.Throttled, false},
		{"rate by 429", doc(429, "rateLimitExceeded"), driver.Cond{}, driver.Throttled, false},
		{"429 with a reason of a refusal", doc(429, "forbidden"), driver.Cond{}, driver.Throttled, false},
		{"quota of bytes", doc(403, "quotaExceeded"), driver.Cond{}, driver.Full, false},
		{"full", doc(507, "insufficientStorage"), driver.Cond{}, driver.Full, false},
		{"too large", doc(413, "uploadTooLarge"), driver.Cond{}, driver.TooLarge, false},
		{"503", doc(503, "backendError"), driver.Cond{}, driver.Unavailable, true},
		{"500", doc(500, "backendError"), driver.Cond{}, driver.Unavailable, true},
		{"bucket", doc(404, "notFound"), driver.Cond{}, driver.NoBucket, false},
		{"there", doc(412, "conditionNotMet"), driver.Cond{IfAbsent: true}, driver.Exists, false},
		{"another", doc(412, "conditionNotMet"), driver.Cond{IfMatch: "5"}, driver.Mismatch, false},
		{"bad", doc(400, "invalid"), driver.Cond{}, driver.Invalid, false},
		{"cut", func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, driver.Cond{}, driver.Unavailable, true},
		{"no JSON", func(w http.ResponseWriter) { _, _ = w.Write([]byte("<html>")) }, driver.Cond{}, driver.Unavailable, true},
		{"redirect", func(w http.ResponseWriter) {
			w.Header().Set("Location", "http://127.0.0.1:1/")
			w.WriteHeader(302)
		}, driver.Cond{}, driver.Invalid, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake(t, "bucket")
			b := open(t, gcs.Config{Bucket: "bucket", Endpoint: f.URL, CredentialsFile: newKey(t).file})
			f.before = func(w http.ResponseWriter, r *http.Request) bool {
				_, _ = io.Copy(io.Discard, r.Body)
				tt.reply(w)
				return true
			}
			_, err := b.Put(t.Context(), "key", section("x"), driver.WriteOptions{Cond: tt.cond})
			if driver.KindOf(err) != tt.want || driver.OutcomeUnknown(err) != tt.outcomeUnknown {
				t.Errorf("got %v, want %v, unknown outcome %t", err, tt.want, tt.outcomeUnknown)
			}
			if _, what, locked := strings.Cut(err.Error(), "no permission is missing"); locked != (tt.want == driver.Unsupported) || locked && !strings.Contains(what, "gcloud") {
				t.Errorf("the advice is wrong: %v", err)
			}
			requests := int64(1)
			if tt.name == "unauthorized" {
				requests = 2 // with a new token
			}
			if strings.Contains(err.Error(), "secret") || f.requests.Load() != requests {
				t.Errorf("after %d requests: %v", f.requests.Load(), err)
			}
		})
	}
}

func TestMissingCredentials(t *testing.T) {
	f := newFake(t, "bucket")
	k := newKey(t)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"error":"invalid_grant","assertion":"secret"}`))
	}))
	defer srv.Close()
	k.setTokenURI(t, srv.URL)
	b := open(t, gcs.Config{Bucket: "bucket", Endpoint: f.URL, CredentialsFile: k.file})
	_, err := b.Stat(t.Context(), "key")
	if driver.KindOf(err) != driver.Denied || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "credentials_file") {
		t.Errorf("got %v, want Denied with advice", err)
	}
	if f.requests.Load() != 0 {
		t.Error("a request went out without a token")
	}
}

// TestAttributes checks that nothing is created without the class and the key.
func TestAttributes(t *testing.T) {
	f := newFake(t, "bucket")
	const kms = "projects/p/locations/l/keyRings/r/cryptoKeys/k"
	b := open(t, gcs.Config{Bucket: "bucket", Endpoint: f.URL, Anonymous: true, StorageClass: "NEARLINE", KMSKey: kms, UserProject: "payer"})
	var mu sync.Mutex
	var without []string
	f.before = func(_ http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		q := r.URL.Query()
		if r.URL.Path == "/batch/storage/v1" {
			body, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(bytes.NewReader(body))
			if calls, told := bytes.Count(body, []byte("DELETE ")), bytes.Count(body, []byte("?userProject=payer ")); calls == 0 || calls != told {
				without = append(without, fmt.Sprintf("%d of %d calls in a batch", calls-told, calls))
			}
			return false
		}
		if r.Method == http.MethodPost && q.Get("kmsKeyName") != kms && q.Get("destinationKmsKeyName") != kms ||
			q.Get("userProject") != "payer" && r.Header.Get("X-Goog-User-Project") != "payer" {
			without = append(without, r.Method+" "+r.URL.String())
		}
		return false
	}
	o := driver.WriteOptions{ContentType: "text/x-kept", Metadata: map[string]string{"k": "v"}, Use: driver.UseBlob}
	if _, err := b.Put(t.Context(), "put", section("x"), o); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Features().Copy(t.Context(), driver.CopyRequest{Src: driver.Source{Key: "put"}, Dst: "copy", Options: driver.WriteOptions{Use: driver.UseBlob}}); err != nil {
		t.Fatal(err)
	}
	var sources []driver.Object
	for range 40 {
		sources = append(sources, driver.Object{Key: "put", Size: 1})
	}
	if _, err := b.Features().Concat(t.Context(), driver.ConcatRequest{Key: "joined", Sources: sources, Options: o}); err != nil {
		t.Fatal(err)
	}
	for name, made := range f.buckets["bucket"] {
		if made.StorageClass != "NEARLINE" || made.ContentType != o.ContentType || made.Metadata["k"] != "v" {
			t.Errorf("%s has class %q, type %q, metadata %v", name, made.StorageClass, made.ContentType, made.Metadata)
		}
	}
	_ = content(t, b, "joined")
	_, _ = b.ListPage(t.Context(), driver.ListRequest{})
	_ = b.Delete(t.Context(), "joined", driver.DeleteOptions{})
	if len(without) > 0 {
		t.Errorf("without key or project:\n%s", strings.Join(without, "\n"))
	}
}

// TestLongCopy goes on where the store stopped.
func TestLongCopy(t *testing.T) {
	f := newFake(t, "bucket")
	f.pace = 4
	b := open(t, gcs.Config{Bucket: "bucket", Endpoint: f.URL, Anonymous: true})
	if _, err := b.Put(t.Context(), "src", section("0123456789"), driver.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	before := f.requests.Load()
	obj, err := b.Features().Copy(t.Context(), driver.CopyRequest{Src: driver.Source{Key: "src"}, Dst: "dst"})
	if err != nil || obj.Size != 10 || f.requests.Load()-before != 3 {
		t.Errorf("Copy = %+v, %v after %d requests, want 3", obj, err, f.requests.Load()-before)
	}
}

func TestEmulatorHost(t *testing.T) {
	f := newFake(t, "bucket")
	t.Setenv("STORAGE_EMULATOR_HOST", strings.TrimPrefix(f.URL, "http://"))
	b, err := driver.Open(t.Context(), "gs://bucket/prefix")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Put(t.Context(), "key", section("x"), driver.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := f.names("bucket"); !slices.Equal(got, []string{"prefix/key"}) {
		t.Errorf("stored %q", got)
	}
	if b.Features().Sign != nil {
		t.Error("Sign is offered without credentials")
	}
}

// verify checks a V4 signature by the public key.
// https://cloud.google.com/storage/docs/authentication/canonical-requests
func verify(t *testing.T, method, raw string, check func(digest, signature []byte) error) {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	signature, err := hex.DecodeString(q.Get("X-Goog-Signature"))
	if err != nil {
		t.Fatal(err)
	}
	q.Del("X-Goog-Signature")
	canonical := strings.Join([]string{method, u.EscapedPath(), strings.ReplaceAll(q.Encode(), "+", "%20"), "host:" + u.Hostname(), "", "host", "UNSIGNED-PAYLOAD"}, "\n")
	_, scope, _ := strings.Cut(q.Get("X-Goog-Credential"), "/")
	sum := sha256.Sum256([]byte(canonical))
	text := strings.Join([]string{"GOOG4-RSA-SHA256", q.Get("X-Goog-Date"), scope, hex.EncodeToString(sum[:])}, "\n")
	digest := sha256.Sum256([]byte(text))
	if err := check(digest[:], signature); err != nil {
		t.Errorf("signature of %s: %v", driver.RedactURL(raw), err)
	}
}

func TestSignOffline(t *testing.T) {
	f := newFake(t, "bucket")
	k := newKey(t)
	b := open(t, gcs.Config{Bucket: "bucket", Endpoint: f.URL, CredentialsFile: k.file})
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		s, err := b.Features().Sign(t.Context(), driver.SignRequest{Method: method, Key: "a b/é+", Expires: 30 * 24 * time.Hour, ContentType: "text/plain; charset=utf-8"})
		if err != nil {
			t.Fatal(err)
		}
		if left := time.Until(s.Expires); left > 7*24*time.Hour || left < 7*24*time.Hour-time.Minute {
			t.Errorf("expires in %v, want 7 days", left)
		}
		verify(t, method, s.URL, func(digest, signature []byte) error {
			return rsa.VerifyPKCS1v15(&k.private.PublicKey, crypto.SHA256, digest, signature)
		})
	}
	if f.requests.Load() != 0 || k.tokens.Load() != 0 {
		t.Errorf("signing offline cost %d requests, %d tokens", f.requests.Load(), k.tokens.Load())
	}
	_, err := b.Features().Sign(t.Context(), driver.SignRequest{Method: http.MethodPut, Key: "key", Expires: time.Minute})
	if driver.KindOf(err) != driver.Unsupported {
		t.Errorf("PUT: %v, want Unsupported", err)
	}
}

// TestSignForAnotherHost signs what redirected clients are given for the host that they ask.
func TestSignForAnotherHost(t *testing.T) {
	f, k := newFake(t, "bucket"), newKey(t)
	for _, tt := range []struct {
		endpoint string
		bound    bool
		want     string
	}{
		{"https://blobs.example.com", false, "https://blobs.example.com/bucket/p/key%2B%20x"},
		{"https://blobs.example.com", true, "https://blobs.example.com/p/key%2B%20x"},
		{"http://bucket", true, "http://bucket/p/key%2B%20x"}, // a CNAME
		{"http://bucket:8080/", true, "http://bucket:8080/p/key%2B%20x"},
	} {
		b := open(t, gcs.Config{Bucket: "bucket", Prefix: "p", Endpoint: f.URL, RedirectEndpoint: tt.endpoint, RedirectBucketBound: tt.bound, CredentialsFile: k.file})
		s, err := b.Features().Sign(t.Context(), driver.SignRequest{Method: http.MethodGet, Key: "key+ x", Expires: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		if at, _, _ := strings.Cut(s.URL, "?"); at != tt.want {
			t.Errorf("got %s, want %s", at, tt.want)
		}
		verify(t, http.MethodGet, s.URL, func(digest, signature []byte) error {
			return rsa.VerifyPKCS1v15(&k.private.PublicKey, crypto.SHA256, digest, signature)
		})
		// What this process asks for goes to the store itself.
		f.requests.Store(0)
		if err := b.Delete(t.Context(), "key+ x", driver.DeleteOptions{NotAfter: time.Now().Add(time.Minute)}); err != nil || f.requests.Load() == 0 {
			t.Errorf("Delete: %v after %d requests to the store", err, f.requests.Load())
		}
	}
}

func TestSignByIAM(t *testing.T) {
	f := newFake(t, "bucket")
	const other = "other@project.iam.gserviceaccount.com"
	status := http.StatusOK
	var asked string
	iam := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.Path + " " + r.Header.Get("Authorization")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string][]byte{"signedBlob": []byte("signature")})
	}))
	defer iam.Close()
	b := open(t, gcs.Config{Bucket: "bucket", Endpoint: f.URL, CredentialsFile: newKey(t).file, ServiceAccount: other, IAMEndpoint: iam.URL})
	r := driver.SignRequest{Method: http.MethodGet, Key: "key", Expires: time.Minute}
	s, err := b.Features().Sign(t.Context(), r)
	if err != nil || !strings.Contains(s.URL, hex.EncodeToString([]byte("signature"))) {
		t.Errorf("Sign = %s, %v", s, err)
	}
	if want := "/v1/projects/-/serviceAccounts/" + other + ":signBlob Bearer secret-token"; asked != want {
		t.Errorf("asked %q, want %q", asked, want)
	}
	status = http.StatusForbidden
	if _, err = b.Features().Sign(t.Context(), r); driver.KindOf(err) != driver.Denied {
		t.Errorf("refused: %v, want Denied", err)
	}
}

func TestURL(t *testing.T) {
	for _, tt := range []struct{ url, want string }{
		{"gs://", "no bucket"},
		{"gs://user:secret@bucket", "don't belong"},
		{"gs://bucket:80", "no port"},
		{"gs://bucket?regoin=x", "storage_class"},
		{"gs://bucket?storage_class=GLACIER", "NEARLINE"},
		{"gs://bucket?kms_key=k", "projects/P"},
		{"gs://bucket?endpoint=ftp://x", "want a URL"},
		{"gs://bucket?endpoint=https://user:secret@x", "don't belong"},
		{"gs://bucket?credentials_file=/no/such/file", "credentials_file"},
		{"gs://bucket?anonymous=true&service_account=a@b", "excludes"},
		{"gs://bucket?part_size=0", "part_size"},
		{"gs://bucket?redirect_bucket_bound=true", "redirect_endpoint"},
		{"gs://bucket/a//b?anonymous=1", "prefix"},
	} {
		_, err := driver.Open(t.Context(), tt.url)
		if err == nil || driver.KindOf(err) != driver.Invalid || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("Open(%q) = %v, want Invalid that says %q", tt.url, err, tt.want)
		}
	}
	b, err := driver.Open(t.Context(), "gs://bucket/p/q/?anonymous=1&part_size=32MiB&concurrency=3")
	if err != nil {
		t.Fatal(err)
	}
	if f := b.Features(); f.PartSize != 32<<20 || f.Concurrency != 3 {
		t.Errorf("features are %+v", f)
	}
}
