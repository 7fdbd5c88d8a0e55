package integration_test

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"

	"github.com/blobdock/blobdock/integration/emulator"
)

// rotatingAzure exchanges the account's key, as an account does that has two of them: one is
// made anew while the other is in use. Azurite has one key: what is signed by a valid one is
// signed by Azurite's on the way.
func rotatingAzure(t *testing.T) rotation {
	t.Helper()
	store := azureCloud{Azure: emulator.StartAzure(t)}
	through, proxy := store.through(t)
	bucket := store.newBucket(t)
	g := new(gate)
	file := filepath.Join(t.TempDir(), "key")
	rotate := func(n int) {
		key := base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "key %d of the account", n))
		g.issue(key)
		replaceFile(t, file, key+"\n")
		g.revoke()
	}
	rotate(0)
	proxy.Intercept(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		code := "AuthenticationFailed"
		switch {
		case !g.admits(func(key string) bool { return resignAzure(r, store.Account, key, key) == nil }):
		case !g.admits(func(key string) bool { return sourceAzure(r, store.Account, key, store.Key) == nil }):
			code = "CannotVerifyCopySource"
		default:
			if r.URL.Query().Get("comp") == "batch" && !batchAzure(r, g, store) {
				refuseBatch(w, r)
				return
			}
			if err := resignAzure(r, store.Account, "", store.Key); err != nil {
				t.Error(err)
			}
			next.ServeHTTP(w, r)
			return
		}
		if code == "AuthenticationFailed" && !slices.ContainsFunc(g.all(), func(key string) bool { return resignAzure(r, store.Account, key, key) == nil }) {
			t.Errorf("%s %s is signed by no key that there was: %v", r.Method, r.URL.Path, slices.Sorted(maps.Keys(r.Header)))
		}
		w.Header().Set("X-Ms-Error-Code", code)
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusForbidden)
		if r.Method != http.MethodHead {
			_, _ = fmt.Fprintf(w, "<Error><Code>%s</Code><Message>refused</Message></Error>", code)
		}
	})
	return rotation{
		storage: through.bare(bucket) + "&key_file=" + url.QueryEscape(file), store: store, bucket: bucket, gate: g, rotate: rotate,
	}
}

var errOtherKey = errors.New("signed by another key")

// resignAzure signs r by a key. If old is not empty it has to be what r is signed by, in its
// header or in its URL.
func resignAzure(r *http.Request, account, old, key string) error {
	if r.URL.Query().Has("sig") {
		query, err := resignSAS(account, r.URL, old, key)
		if err == nil {
			r.URL.RawQuery = query
		}
		return err
	}
	if old != "" {
		if is, err := sharedKey(r, account, old); err != nil || is != r.Header.Get("Authorization") {
			return errors.Join(errOtherKey, err)
		}
	}
	signed, err := sharedKey(r, account, key)
	if err == nil {
		r.Header.Set("Authorization", signed)
	}
	return err
}

// sourceAzure is resignAzure for the source of a copy, if r is one. The change is part of what
// r's own signature covers, which is made anew after it.
func sourceAzure(r *http.Request, account, old, key string) error {
	source, err := url.Parse(r.Header.Get("X-Ms-Copy-Source"))
	if err != nil || !source.Query().Has("sig") {
		return err
	}
	query, err := resignSAS(account, source, old, key)
	if err == nil {
		source.RawQuery = query
		r.Header.Set("X-Ms-Copy-Source", source.String())
	}
	return err
}

// resignSAS is the query of a URL whose shared access signature is by the old key, with that
// by another key.
func resignSAS(account string, u *url.URL, old, key string) (string, error) {
	p := sas.NewQueryParameters(u.Query(), false)
	names := strings.SplitN(strings.TrimPrefix(u.Path, "/"), "/", 3) // account, container, blob
	if len(names) < 3 {
		return "", fmt.Errorf("%s names no blob", u.Path)
	}
	v := sas.BlobSignatureValues{
		Version: p.Version(), Protocol: p.Protocol(), StartTime: p.StartTime(), ExpiryTime: p.ExpiryTime(), Permissions: p.Permissions(),
		ContainerName: names[1], BlobName: names[2],
	}
	by := func(key string) (string, error) {
		k, err := blob.NewSharedKeyCredential(account, key)
		if err != nil {
			return "", err
		}
		signed, err := v.SignWithSharedKey(k)
		return signed.Signature(), err
	}
	if old != "" {
		if sig, err := by(old); err != nil || sig != p.Signature() {
			return "", errors.Join(errOtherKey, err)
		}
	}
	sig, err := by(key)
	q := u.Query()
	q.Set("sig", sig)
	return q.Encode(), err
}

// sharedKey is the Authorization header of r by a key.
// https://learn.microsoft.com/en-us/rest/api/storageservices/authorize-with-shared-key
func sharedKey(r *http.Request, account, key string) (string, error) {
	secret, err := base64.StdEncoding.DecodeString(key)
	if err != nil {
		return "", err
	}
	length := ""
	if r.ContentLength > 0 {
		length = strconv.FormatInt(r.ContentLength, 10)
	}
	lines := []string{r.Method, r.Header.Get("Content-Encoding"), r.Header.Get("Content-Language"), length}
	for _, name := range []string{"Content-MD5", "Content-Type", "Date", "If-Modified-Since", "If-Match", "If-None-Match", "If-Unmodified-Since", "Range"} {
		lines = append(lines, r.Header.Get(name))
	}
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		if strings.HasPrefix(name, "X-Ms-") {
			lines = append(lines, strings.ToLower(name)+":"+strings.Join(r.Header[name], ","))
		}
	}
	lines = append(lines, "/"+account+r.URL.EscapedPath())
	q := r.URL.Query()
	for _, name := range slices.Sorted(maps.Keys(q)) {
		slices.Sort(q[name])
		lines = append(lines, strings.ToLower(name)+":"+strings.Join(q[name], ","))
	}
	mac := hmac.New(sha256.New, secret)
	_, _ = io.WriteString(mac, strings.Join(lines, "\n"))
	return "SharedKey " + account + ":" + base64.StdEncoding.EncodeToString(mac.Sum(nil)), nil
}

// batchAzure signs the requests of a batch by the store's key. It reports whether all of them
// are signed by a valid one.
func batchAzure(r *http.Request, g *gate, store azureCloud) bool {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return false
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	text, all := string(body), true
	for _, part := range strings.Split(text, "\r\n\r\n") {
		if !strings.HasPrefix(part, http.MethodDelete+" ") {
			continue
		}
		one, err := http.ReadRequest(bufio.NewReader(strings.NewReader(part + "\r\n\r\n")))
		if err != nil {
			return false
		}
		was := one.Header.Get("Authorization")
		all = all && g.admits(func(key string) bool { return resignAzure(one, store.Account, key, store.Key) == nil })
		text = strings.Replace(text, was, one.Header.Get("Authorization"), 1) // as long as it was
	}
	r.Body = io.NopCloser(strings.NewReader(text))
	return all
}

// refuseBatch answers to a batch that none of its requests was carried out.
// https://learn.microsoft.com/en-us/rest/api/storageservices/blob-batch
func refuseBatch(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "multipart/mixed; boundary=refused")
	w.WriteHeader(http.StatusAccepted)
	body, _ := io.ReadAll(r.Body)
	for i := range strings.Count(string(body), "Content-ID:") {
		_, _ = fmt.Fprintf(w, "--refused\r\nContent-Type: application/http\r\nContent-ID: %d\r\n\r\nHTTP/1.1 403 Forbidden\r\nx-ms-error-code: AuthenticationFailed\r\n\r\n\r\n", i)
	}
	_, _ = io.WriteString(w, "--refused--\r\n")
}
