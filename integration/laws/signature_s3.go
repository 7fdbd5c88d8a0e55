package laws

import (
	"context"
	"crypto/hmac"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/blobdock/blobdock/integration/emulator"
)

// signature is a request's signature of version 4, as the request states it.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html
type signature struct {
	access, region string
	at             time.Time
	presigned      bool
	life           time.Duration // of a presigned URL, from at on
	headers        []string      // that are covered
	value          string
	token          string // of temporary credentials
}

const (
	algorithm  = "AWS4-HMAC-SHA256"
	timeFormat = "20060102T150405Z"
	// A request may be this much older or younger than the store's clock.
	// https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html
	tolerance = 15 * time.Minute
)

// signatureOf reads a request's signature. There is none if found is false, and none that
// can be read if ok is false.
func signatureOf(r *http.Request) (s signature, found, ok bool) {
	q := r.URL.Query()
	if q.Has("X-Amz-Signature") {
		s, ok = presignedBy(q)
		return s, true, ok
	}
	fields, found := strings.CutPrefix(r.Header.Get("Authorization"), algorithm+" ")
	if !found {
		return signature{}, false, false
	}
	var credential string
	for field := range strings.SplitSeq(fields, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		switch name {
		case "Credential":
			credential = value
		case "SignedHeaders":
			s.headers = strings.Split(value, ";")
		case "Signature":
			s.value = value
		}
	}
	s.token = r.Header.Get("X-Amz-Security-Token")
	return s, true, s.scope(credential, r.Header.Get("X-Amz-Date"))
}

func presignedBy(q url.Values) (s signature, ok bool) {
	seconds, err := strconv.Atoi(q.Get("X-Amz-Expires"))
	if err != nil || q.Get("X-Amz-Algorithm") != algorithm {
		return s, false
	}
	s.presigned, s.life = true, time.Duration(seconds)*time.Second
	s.headers = strings.Split(q.Get("X-Amz-SignedHeaders"), ";")
	s.value, s.token = q.Get("X-Amz-Signature"), q.Get("X-Amz-Security-Token")
	return s, s.scope(q.Get("X-Amz-Credential"), q.Get("X-Amz-Date"))
}

// scope reads access key, region and time.
func (s *signature) scope(credential, date string) bool {
	names := strings.Split(credential, "/") // key, day, region, service, "aws4_request"
	if len(names) != 5 {
		return false
	}
	s.access, s.region = names[0], names[2]
	at, err := time.Parse(timeFormat, date)
	s.at = at
	return err == nil && at.Format("20060102") == names[1]
}

// covers reports whether the signature is that of r, made with the store's secret.
func (s signature) covers(r *http.Request, store emulator.S3) bool {
	again := unsigned(r, s.headers)
	cred := aws.Credentials{AccessKeyID: store.AccessKey, SecretAccessKey: store.SecretKey}
	plain := func(o *v4.SignerOptions) { o.DisableURIPathEscaping, o.DisableHeaderHoisting = true, true }
	if s.presigned {
		q := again.URL.Query()
		for name := range authQuery {
			if name != "X-Amz-Expires" && name != "X-Amz-Security-Token" {
				q.Del(name)
			}
		}
		again.URL.RawQuery = q.Encode()
		signed, _, err := v4.NewSigner().PresignHTTP(r.Context(), cred, again, unsignedPayload, "s3", s.region, s.at, plain)
		if err != nil {
			return false
		}
		u, err := url.Parse(signed)
		return err == nil && hmac.Equal([]byte(u.Query().Get("X-Amz-Signature")), []byte(s.value))
	}
	again.Header.Del("Authorization")
	if v4.NewSigner().SignHTTP(r.Context(), cred, again, r.Header.Get(hashHeader), "s3", s.region, s.at, plain) != nil {
		return false
	}
	recomputed, _, _ := signatureOf(again)
	return hmac.Equal([]byte(recomputed.value), []byte(s.value))
}

// unsigned is a copy of r that has just the named headers.
func unsigned(r *http.Request, headers []string) *http.Request {
	again := r.Clone(context.WithoutCancel(r.Context()))
	again.Body, again.ContentLength, again.Header = nil, 0, make(http.Header)
	for _, name := range headers {
		switch name {
		case "host":
		case "content-length":
			again.ContentLength = r.ContentLength
		default:
			if v, ok := r.Header[http.CanonicalHeaderKey(name)]; ok {
				again.Header[http.CanonicalHeaderKey(name)] = v
			}
		}
	}
	return again
}

const (
	hashHeader      = "X-Amz-Content-Sha256"
	unsignedPayload = "UNSIGNED-PAYLOAD"
)

// authQuery are the parameters that presigned URLs add.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
var authQuery = map[string]bool{
	"X-Amz-Algorithm": true, "X-Amz-Credential": true, "X-Amz-Date": true, "X-Amz-Expires": true,
	"X-Amz-SignedHeaders": true, "X-Amz-Signature": true, "X-Amz-Security-Token": true,
}

// verdict is an error that a request is answered with; without a code it is none.
type verdict struct {
	status        int
	code, message string
}

// stale is the answer of a store whose clock shows now.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
func (s signature) stale(now time.Time) verdict {
	switch {
	case s.presigned && now.After(s.at.Add(s.life)):
		return verdict{http.StatusForbidden, "AccessDenied", "Request has expired"}
	case s.presigned && s.at.Sub(now) > tolerance:
		return verdict{http.StatusForbidden, "AccessDenied", "Request is not valid yet"}
	case !s.presigned && now.Sub(s.at).Abs() > tolerance:
		return verdict{http.StatusForbidden, "RequestTimeTooSkewed", "the difference between the request's time and the store's is too large"}
	}
	return verdict{}
}
