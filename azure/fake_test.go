package azure

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/blobdock/blobdock/driver"
)

// The credentials of all tests; they must not show in any error.
const (
	testToken = "t0ken-t0ken-t0ken"
	testSAS   = "sv=2024-01-01&sp=racwdl&sr=c&sig=s1gnature%2Bs1gnature"
)

var testKey = base64.StdEncoding.EncodeToString([]byte("s3cr3t/s3cr3t+s3cr3t"))

func TestMain(m *testing.M) {
	// Neither the machine's configuration nor its metadata service is asked.
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "AZURE_") {
			_ = os.Unsetenv(name)
		}
	}
	_ = os.Setenv("NO_PROXY", "*")
	os.Exit(m.Run())
}

// request is what the fake store was sent.
type request struct {
	method, uri string
	header      http.Header
	body        string
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
	f.requests = append(f.requests, request{r.Method, r.RequestURI, r.Header.Clone(), string(body)})
	f.mu.Unlock()
	w.Header().Set("X-Ms-Request-Id", "REQ1")
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

func openTest(t testing.TB, c Config) *Bucket {
	t.Helper()
	b, err := Open(t.Context(), c)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// fakeStore opens a container of a store that answers with answer; edit changes
// the configuration.
func fakeStore(t testing.TB, answer http.HandlerFunc, edit ...func(*Config)) (*Bucket, *fake) {
	t.Helper()
	f := &fake{answer: answer}
	srv := httptest.NewServer(f)
	t.Cleanup(srv.Close)
	c := Config{Container: "container", Endpoint: srv.URL + "/account", Account: "account", Key: testKey}
	for _, e := range edit {
		e(&c)
	}
	return openTest(t, c), f
}

func withSAS(c *Config) { c.Key, c.SAS = "", testSAS }

// reject answers with an Azure error document, as far as the request has one.
func reject(status int, code string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		if code != "" {
			w.Header().Set("X-Ms-Error-Code", code)
			w.Header().Set("Content-Type", "application/xml")
		}
		w.WriteHeader(status)
		if r.Method != http.MethodHead && code != "" {
			_, _ = fmt.Fprintf(w, "\ufeff<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>%s</Code><Message>told by the store.\nRequestId:REQ1\nTime:now</Message>"+
				"<AuthenticationErrorDetail>string to sign: %s</AuthenticationErrorDetail></Error>", code, testToken)
		}
	}
}

func section(s string) *io.SectionReader {
	return io.NewSectionReader(strings.NewReader(s), 0, int64(len(s)))
}

// noSecrets fails when err tells what nobody may know.
func noSecrets(t testing.TB, err error) {
	t.Helper()
	if err == nil {
		return
	}
	for _, secret := range []string{testKey, "s3cr3t", testToken, "s1gnature", "sig=", "SharedKey", "Bearer", "?"} {
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
	up := newUpload(driver.WriteOptions{})
	u := driver.Upload{Key: "key", ID: up.id()}
	_, tag := up.newBlock(1)
	_, err := b.Stat(ctx, "key")
	do(driver.OpStat, err)
	_, err = b.Open(ctx, "key", driver.Range{}, driver.ReadOptions{})
	do(driver.OpOpen, err)
	_, err = b.Put(ctx, "key", section("hello"), driver.WriteOptions{})
	do(driver.OpPut, err)
	do(driver.OpDelete, b.Delete(ctx, "key", driver.DeleteOptions{}))
	_, err = b.ListPage(ctx, driver.ListRequest{})
	do(driver.OpList, err)
	_, err = b.PutPart(ctx, u, 1, section("hello"))
	do(driver.OpPutPart, err)
	_, err = b.CompleteUpload(ctx, u, []driver.Part{{Number: 1, Size: 5, ETag: tag}}, driver.Cond{})
	do(driver.OpCompleteUpload, err)
	do(driver.OpAbortUpload, b.AbortUpload(ctx, driver.Upload{Key: "r/_uploads/key", ID: "x"}))
	_, err = b.UploadsPage(ctx, driver.ListRequest{})
	do(driver.OpListUploads, err)
	_, err = b.copyObject(ctx, driver.CopyRequest{Src: driver.Source{Key: "src"}, Dst: "key"})
	do(driver.OpCopy, err)
	_, err = b.copyPart(ctx, u, 1, driver.Source{Key: "src", Range: driver.Range{Len: 5}})
	do(driver.OpCopyPart, err)
	do(driver.OpDeleteBatch, b.deleteBatch(ctx, driver.Refs("key", "other")))
}
