package integration_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/blobdock/blobdock/integration/emulator"
)

// rotatingS3 exchanges access keys, which are deleted, and session tokens, which end. MinIO
// has one key: requests that are signed by the valid one are signed by MinIO's on the way.
func rotatingS3(t *testing.T) rotation {
	t.Helper()
	store := onMinIO(emulator.Start(t))
	through, proxy := store.through(t)
	bucket := store.newBucket(t)
	credentials := func(n int) aws.Credentials {
		c := aws.Credentials{AccessKeyID: fmt.Sprintf("ROTATED%d", n/2), SecretAccessKey: fmt.Sprintf("secret%d", n/2)}
		if n%2 == 1 { // a session, and then another key
			c.SessionToken = fmt.Sprintf("token%d", n)
		}
		return c
	}
	g := new(gate)
	file := filepath.Join(t.TempDir(), "credentials")
	rotate := func(n int) {
		c := credentials(n)
		g.issue(strconv.Itoa(n))
		replaceFile(t, file, fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\naws_session_token = %s\n",
			c.AccessKeyID, c.SecretAccessKey, c.SessionToken))
		g.revoke()
	}
	rotate(0)
	proxy.Intercept(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		admitted := g.admits(func(valid string) bool {
			n, err := strconv.Atoi(valid)
			return err == nil && signedS3(r, credentials(n))
		})
		switch {
		case admitted:
			signS3(r, aws.Credentials{AccessKeyID: store.AccessKey, SecretAccessKey: store.SecretKey})
			next.ServeHTTP(w, r)
		case r.Header.Get("X-Amz-Security-Token") != "":
			refuseS3(w, r, http.StatusBadRequest, "ExpiredToken")
		default:
			refuseS3(w, r, http.StatusForbidden, "InvalidAccessKeyId")
		}
	})
	return rotation{
		storage: through.bare(bucket) + "&credentials_file=" + url.QueryEscape(file), store: store, bucket: bucket, gate: g, rotate: rotate,
	}
}

// refuseS3 answers with an error.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
func refuseS3(w http.ResponseWriter, r *http.Request, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = fmt.Fprintf(w, "<Error><Code>%s</Code><Message>refused</Message></Error>", code)
	}
}

// signedS3 reports whether r is signed by the credentials.
func signedS3(r *http.Request, c aws.Credentials) bool {
	if r.Header.Get("X-Amz-Security-Token") != c.SessionToken {
		return false
	}
	again := r.Clone(context.WithoutCancel(r.Context()))
	signS3(again, c)
	return again.Header.Get("Authorization") == r.Header.Get("Authorization")
}

// signS3 signs r by the credentials in the place of those that it is signed by.
func signS3(r *http.Request, c aws.Credentials) {
	scope := strings.Split(r.Header.Get("Authorization"), "/") // key, day, region, service, and the rest
	if len(scope) < 5 {
		return
	}
	_, names, _ := strings.Cut(r.Header.Get("Authorization"), "SignedHeaders=")
	names, _, _ = strings.Cut(names, ",")
	bare := r.Clone(context.WithoutCancel(r.Context()))
	bare.Body, bare.ContentLength, bare.Header = nil, 0, make(http.Header)
	for name := range strings.SplitSeq(names, ";") {
		switch name {
		case "host", "x-amz-security-token":
		case "content-length":
			bare.ContentLength = r.ContentLength
		default:
			bare.Header[http.CanonicalHeaderKey(name)] = r.Header.Values(name)
		}
	}
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err == nil {
		err = v4.NewSigner().SignHTTP(bare.Context(), c, bare, r.Header.Get("X-Amz-Content-Sha256"), "s3", scope[2], at,
			func(o *v4.SignerOptions) { o.DisableURIPathEscaping, o.DisableHeaderHoisting = true, true })
	}
	r.Header.Del("Authorization")
	r.Header.Del("X-Amz-Security-Token")
	if err != nil {
		return // the store refuses it
	}
	r.Header.Set("Authorization", bare.Header.Get("Authorization"))
	if c.SessionToken != "" {
		r.Header.Set("X-Amz-Security-Token", c.SessionToken)
	}
}
