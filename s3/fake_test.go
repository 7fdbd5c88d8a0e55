package s3

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/blobdock/blobdock/driver"
)

// The credentials of all tests; they must not show in any error.
const (
	testAccessKey = "AKIDTESTTESTTEST"
	testSecretKey = "s3cr3t/s3cr3t+s3cr3t"
	testToken     = "t0ken-t0ken-t0ken"
)

func TestMain(m *testing.M) {
	// Neither the machine's configuration nor its metadata service is asked.
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "AWS_") {
			_ = os.Unsetenv(name)
		}
	}
	for name, value := range map[string]string{
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true", "NO_PROXY": "*",
	} {
		_ = os.Setenv(name, value)
	}
	os.Exit(m.Run())
}

// request is what the fake store was sent.
type request struct {
	method, uri string
	header      http.Header
	body        []byte
}

// fake is a store that answers as it is told and remembers what it was asked.
type fake struct {
	mu       sync.Mutex
	requests []request
	answer   http.HandlerFunc
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	f.mu.Lock()
	f.requests = append(f.requests, request{r.Method, r.RequestURI, r.Header.Clone(), body})
	f.mu.Unlock()
	if f.answer != nil {
		f.answer(w, r)
	}
}

func (f *fake) take() []request {
	f.mu.Lock()
	defer f.mu.Unlock()
	got := f.requests
	f.requests = nil
	return got
}

// testConfig is a bucket behind endpoint, with static credentials.
func testConfig(endpoint string) Config {
	return Config{
		Bucket: "bucket", Endpoint: endpoint, Profile: "minio", Region: "eu-test-1",
		AccessKeyID: testAccessKey, SecretAccessKey: testSecretKey, SessionToken: testToken,
	}
}

func openTest(t testing.TB, c Config) *Bucket {
	t.Helper()
	b, err := Open(t.Context(), c)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// fakeStore opens a bucket of a store that answers with answer; edit changes the
// configuration.
func fakeStore(t testing.TB, answer http.HandlerFunc, edit ...func(*Config)) (*Bucket, *fake) {
	t.Helper()
	f := &fake{answer: answer}
	srv := httptest.NewServer(f)
	t.Cleanup(srv.Close)
	c := testConfig(srv.URL)
	for _, e := range edit {
		e(&c)
	}
	return openTest(t, c), f
}

// reject answers with an S3 error document.
func reject(status int, code, extra string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Amz-Request-Id", "REQ1")
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		if r.Method == http.MethodHead || code == "" {
			w.WriteHeader(status)
			return
		}
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>told by the store</Message>%s<RequestId>REQ1</RequestId></Error>`, code, extra)
	}
}

func section(s string) *io.SectionReader {
	return io.NewSectionReader(strings.NewReader(s), 0, int64(len(s)))
}

// volatile headers differ from run to run, or are the transport's own.
var volatile = []string{"Authorization", "User-Agent", "X-Amz-Date", "X-Amz-Security-Token", "Amz-Sdk-Invocation-Id", "Amz-Sdk-Request", "Accept-Encoding", "Content-Length"}

// String shows a request for comparison.
func (r request) String() string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s\n", r.method, r.uri)
	var names []string
	for name := range r.header {
		if !slices.Contains(volatile, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&b, "%s: %s\n", name, strings.Join(r.header[name], ", "))
	}
	if len(r.body) > 0 {
		fmt.Fprintf(&b, "\n%s\n", r.body)
	}
	return b.String()
}

// noSecrets fails when err tells what nobody may know.
func noSecrets(t testing.TB, err error) {
	t.Helper()
	if err == nil {
		return
	}
	for _, secret := range []string{testAccessKey, testSecretKey, testToken, "Signature=", "X-Amz-Security-Token"} {
		for _, text := range []string{err.Error(), fmt.Sprintf("%+v", err)} {
			if strings.Contains(text, secret) {
				t.Errorf("error has %q: %s", secret, text)
			}
		}
	}
}

// everyVerb makes each call of the contract on b once.
func everyVerb(t testing.TB, b *Bucket, do func(op driver.Op, err error)) {
	ctx := t.Context()
	u := driver.Upload{Key: "key", ID: "up1"}
	src := driver.Source{Key: "src", Range: driver.Range{Len: 5}}
	_, err := b.Stat(ctx, "key")
	do(driver.OpStat, err)
	_, err = b.Open(ctx, "key", driver.Range{}, driver.ReadOptions{})
	do(driver.OpOpen, err)
	_, err = b.Put(ctx, "key", section("hello"), driver.WriteOptions{})
	do(driver.OpPut, err)
	do(driver.OpDelete, b.Delete(ctx, "key", driver.DeleteOptions{}))
	_, err = b.ListPage(ctx, driver.ListRequest{})
	do(driver.OpList, err)
	_, err = b.CreateUpload(ctx, "key", driver.WriteOptions{})
	do(driver.OpCreateUpload, err)
	_, err = b.PutPart(ctx, u, 1, section("hello"))
	do(driver.OpPutPart, err)
	_, err = b.CompleteUpload(ctx, u, []driver.Part{{Number: 1, Size: 5, ETag: `"e"`}}, driver.Cond{})
	do(driver.OpCompleteUpload, err)
	do(driver.OpAbortUpload, b.AbortUpload(ctx, u))
	_, err = b.UploadsPage(ctx, driver.ListRequest{})
	do(driver.OpListUploads, err)
	_, err = b.features.Copy(ctx, driver.CopyRequest{Src: driver.Source{Key: "src"}, Dst: "key"})
	do(driver.OpCopy, err)
	_, err = b.features.CopyPart(ctx, u, 1, src)
	do(driver.OpCopyPart, err)
	do(driver.OpDeleteBatch, b.features.DeleteBatch(ctx, driver.Refs("key", "other")))
}
