package registry

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/api/errcode"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/layout"
	"github.com/blobdock/blobdock/manifests"
)

// Distribution answers 500 to nearly every error of a blob store. Handler puts a
// truer answer in its place where this package noted one. Handler also mends what else
// distribution's handlers do wrong (mends.go), and limits how slowly bodies may come
// (body.go).

// answer is what a request's failure should be answered with.
type answer struct {
	secret     string // that replicas share
	manifests  manifests.Options
	push       *manifestPush   // nil for other requests
	pull       *manifestPull   // nil for other requests
	referrers  *referrersQuery // nil for other requests
	signatures *signaturesCall // nil for other requests
	mu         sync.Mutex
	err        errcode.Error
	retryAfter time.Duration
	set        bool
}

type answerKey struct{}

// recordError remembers the answer to err, if it is one that distribution has no word
// for, and returns err.
func recordError(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	a, ok := ctx.Value(answerKey{}).(*answer)
	if !ok {
		return err
	}
	code, retry, ok := classify(err)
	if !ok && a.signatures != nil {
		code, ok = classifySignature(err)
	}
	if ok {
		a.mu.Lock()
		defer a.mu.Unlock()
		if !a.set { // the first failure is the cause, later ones follow from it
			a.err, a.retryAfter, a.set = code, retry, true
		}
	}
	return err
}

// share gives the engine what the configuration has that replicas share.
func (b *blobs) share(ctx context.Context) {
	if a, ok := ctx.Value(answerKey{}).(*answer); ok {
		b.namespace.driver.friend.UseSecret(a.secret)
	}
}

// busyWait is when a client may try again that has waited in vain for its turn.
const busyWait = 5 * time.Second

// classify finds the answer for an error. Details are our own words: what a
// store says may name things that are not the client's to know.
func classify(err error) (code errcode.Error, retryAfter time.Duration, ok bool) {
	var e *driver.Error
	errors.As(err, &e)
	wait := time.Second
	if e != nil && e.RetryAfter > 0 {
		wait = e.RetryAfter
	}
	switch {
	case errors.Is(err, distribution.ErrBlobUploadUnknown): // which a body or a commit finds, too
		return errcode.ErrorCodeBlobUploadUnknown.WithDetail(err.Error()), 0, true
	case errors.Is(err, blobstore.ErrUploadConflict):
		return errcode.ErrorCodeRangeInvalid.WithDetail("another request has changed this upload: ask for its status and go on from there"), 0, true
	case errors.Is(err, blobstore.ErrBusy):
		return errcode.ErrorCodeUnavailable.WithDetail("too many uploads are under way"), busyWait, true
	case errors.Is(err, blobstore.ErrNewerState):
		return errcode.ErrorCodeUnavailable.WithDetail(blobstore.ErrNewerState.Error()), wait, true
	case errors.Is(err, blobstore.ErrUploadGone):
		return errcode.ErrorCodeBlobUploadUnknown.WithDetail("the upload's parts are gone: begin a new upload"), 0, true
	case errors.Is(err, blobstore.ErrBadState):
		return errcode.ErrorCodeBlobUploadUnknown.WithDetail("the upload's state is damaged: begin a new upload"), 0, true
	case errors.Is(err, blobstore.ErrBodyLength):
		return errcode.ErrorCodeSizeInvalid.WithDetail("the body does not have the declared length"), 0, true
	case errors.Is(err, blobstore.ErrUploadTooLarge), errors.Is(err, driver.TooLarge):
		return errorCodeTooLarge.WithDetail(nil), 0, true
	case errors.Is(err, driver.Full):
		return errorCodeFull.WithDetail(nil), 0, true
	case errors.Is(err, driver.Throttled):
		return errcode.ErrorCodeTooManyRequests.WithDetail("storage asks to slow down"), wait, true
	case errors.Is(err, driver.Unavailable), errors.Is(err, context.DeadlineExceeded):
		return errcode.ErrorCodeUnavailable.WithDetail("storage can't be reached"), wait, true
	case errors.Is(err, driver.Denied), errors.Is(err, driver.NoBucket):
		return errcode.ErrorCodeUnavailable.WithDetail("storage refuses the registry: its operator finds the cause in the log"), wait, true
	case errors.Is(err, driver.Corrupt):
		return errcode.ErrorCodeUnknown.WithDetail("what storage has is damaged: the registry's operator finds in the log what it is"), 0, true
	}
	return errcode.Error{}, 0, false
}

// Handler is an HTTP middleware of distribution's registry, registered by this package's
// import. It answers failures of the store by what they are, mends what distribution's
// handlers answer otherwise than the specifications ask (docs/mends.md), and enforces
// [BodyLimits].
func Handler(config *configuration.Configuration, next http.Handler) http.Handler {
	warnUnprepared(config)
	return mended(config, next, mends)
}

func mended(config *configuration.Configuration, next http.Handler, mends []mend) http.Handler {
	storage, options := configOf(config), manifestOptions(config)
	extended := storage.Signatures && hasMiddleware(config)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancelCause(r.Context())
		defer cancel(nil)
		a := &answer{secret: config.HTTP.Secret, manifests: options}
		r = r.WithContext(context.WithValue(ctx, answerKey{}, a))
		ew := &errorWriter{ResponseWriter: w, answer: a, body: limitBody(w, r, storage.Body, cancel)}
		defer ew.leaveBody()
		ew.exchange = newExchange(config, next, r, mends, extended)
		ew.exchange.serve(ew)
		if !ew.wrote && ew.bodyTimedOut() {
			ew.WriteHeader(http.StatusOK) // as the server would
		}
	})
}

// hasMiddleware reports whether the middleware answers for manifests and tags. A pull-through
// cache asks another registry for them first, and has no referrers.
func hasMiddleware(c *configuration.Configuration) bool {
	return c.Proxy.RemoteURL == "" && slices.ContainsFunc(c.Middleware["registry"], func(m configuration.Middleware) bool {
		return m.Name == Name && !m.Disabled
	})
}

// errorWriter replaces the body of an error reply by the answer that was recorded for it.
type errorWriter struct {
	http.ResponseWriter
	exchange *exchange
	answer   *answer
	body     *body // nil where the request's has no limits
	status   int   // of the reply that is sent as it is
	mute     bool  // the body is replaced
	wrote    bool
}

func (w *errorWriter) bodyTimedOut() bool { return w.body != nil && w.body.timedOut() }

func (w *errorWriter) leaveBody() {
	if w.body != nil {
		w.body.leave()
	}
}

// WriteHeader puts the noted answer in the place of a 500, one without a reason where none was
// noted, and 408 in the place of any when the request did not come in time.
func (w *errorWriter) WriteHeader(status int) {
	if w.wrote {
		return
	}
	if w.wrote = status >= http.StatusOK; !w.wrote {
		w.ResponseWriter.WriteHeader(status)
		return
	}
	if w.bodyTimedOut() {
		w.writeTimeout()
		return
	}
	w.leaveBody()
	r := &reply{status: status, header: w.Header()}
	if status == http.StatusInternalServerError {
		w.answer.replace(r)
	}
	w.exchange.amend(r)
	w.status = r.status
	w.mute = !r.send(w.ResponseWriter)
}

// replace puts the answer, if one was noted, in the place of a 500.
func (a *answer) replace(r *reply) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.set {
		// Distribution writes errors into its answer, and into its log.
		if isJSON(r.header) {
			r.err = errcode.ErrorCodeUnknown.WithDetail("the registry's operator finds the cause in the log")
		}
		return
	}
	if d := a.retryAfter; d > 0 {
		r.header.Set("Retry-After", strconv.Itoa(int((d+time.Second-1)/time.Second)))
	}
	r.status, r.err = a.err.Code.Descriptor().HTTPStatusCode, a.err
}

// errorCodeFull is the answer where the store has no room left. The OCI specification has
// no code for it. 507 rather than DENIED (403), which registries answer where a project has
// used up its own quota: clients take 403 for a matter of credentials, and no alert on
// 5xx tells the operator, who alone can do something about it. There is no Retry-After:
// clients are to give up (docs/adr/0018-full.md).
var errorCodeFull = errcode.Register(Name, errcode.ErrorDescriptor{
	Value:          "STORAGE_FULL",
	Message:        "storage is full",
	Description:    "The registry's storage has no room left, or its quota is used up.",
	HTTPStatusCode: http.StatusInsufficientStorage,
})

// errorCodeTooLarge is the answer to content that no object of the store has room for.
var errorCodeTooLarge = errcode.Register(Name, errcode.ErrorDescriptor{
	Value:          "BLOB_TOO_LARGE",
	Message:        "the content is larger than storage takes",
	Description:    "The registry's storage has a largest object, and the content is larger.",
	HTTPStatusCode: http.StatusRequestEntityTooLarge,
})

// errorCodeTimeout is the answer to a body that its client sends too slowly.
var errorCodeTimeout = errcode.Register(Name, errcode.ErrorDescriptor{
	Value:          "REQUEST_TIMEOUT",
	Message:        "the request's body did not come in time",
	Description:    "The client sent nothing for too long, or sent too slowly.",
	HTTPStatusCode: http.StatusRequestTimeout,
})

// writeTimeout answers 408.
func (w *errorWriter) writeTimeout() {
	w.mute = true
	h := w.Header()
	for _, name := range []string{"Content-Length", "Docker-Content-Digest", "Location", "Range", uploadHeader} {
		h.Del(name)
	}
	if w.body.http1 {
		h.Set("Connection", "close")
	}
	_ = errcode.ServeJSON(w.ResponseWriter, errorCodeTimeout.WithDetail("ask for the upload's status and go on from there"))
}

func (w *errorWriter) Write(p []byte) (int, error) {
	if !w.wrote {
		w.WriteHeader(http.StatusOK)
	}
	if w.mute {
		return len(p), nil
	}
	if w.status >= http.StatusBadRequest && isJSON(w.Header()) {
		if _, err := w.ResponseWriter.Write(withoutCauses(p)); err != nil {
			return 0, err
		}
		return len(p), nil
	}
	return w.ResponseWriter.Write(p)
}

func isJSON(h http.Header) bool { return strings.HasPrefix(h.Get("Content-Type"), "application/json") }

// withoutCauses is an error reply, which distribution writes at once, without the details of
// errors that have no code, which are what the store said, and those that have a key.
func withoutCauses(p []byte) []byte {
	unknown, root := errcode.ErrorCodeUnknown.Descriptor().Value, []byte(layout.DefaultRoot+"/")
	if !bytes.Contains(p, []byte(`"`+unknown+`"`)) && !bytes.Contains(p, root) {
		return p
	}
	type entry struct {
		Code    string          `json:"code"`
		Message string          `json:"message"`
		Detail  json.RawMessage `json:"detail,omitempty"`
	}
	var reply struct {
		Errors []entry `json:"errors"`
	}
	if json.Unmarshal(p, &reply) != nil {
		return p
	}
	for i, e := range reply.Errors {
		if e.Code == unknown || bytes.Contains(e.Detail, root) {
			reply.Errors[i].Detail = nil
		}
	}
	cleaned, err := json.Marshal(reply)
	if err != nil {
		return p
	}
	return append(cleaned, '\n')
}

// ReadFrom keeps the server's own way of copying a body.
func (w *errorWriter) ReadFrom(r io.Reader) (int64, error) {
	if !w.wrote {
		w.WriteHeader(http.StatusOK)
	}
	if w.mute {
		return io.Copy(io.Discard, r)
	}
	return io.Copy(w.ResponseWriter, r)
}

// Flush implements http.Flusher.
func (w *errorWriter) Flush() {
	if f, ok := w.ResponseWriter.(http.Flusher); ok {
		f.Flush()
	}
}

// Hijack implements http.Hijacker where the server does.
func (w *errorWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil && w.body != nil {
		w.body.finish()
	}
	return conn, rw, err
}

// Unwrap is for http.ResponseController.
func (w *errorWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
