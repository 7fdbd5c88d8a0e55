package verify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/redirect"
)

// Step is one thing that a registry's client does.
type Step struct {
	Name     string
	Detail   string
	Requests int64 // to the store
	Took     time.Duration
	Err      error
	Unused   bool // the store does not offer it
}

// step is how a Step is made. It needs the steps before it.
type step struct {
	name string
	do   func(ctx context.Context, w *walk) (detail string, err error)
}

// steps are all there are, in the order in which they build on each other.
var steps = []step{
	{"push by POST and PUT", pushSingle},
	{"push by POST, PATCH and PUT", pushStreamed},
	{"push on another replica after a kill", pushAfterKill},
	{"mount from another repository", mount},
	{"push a manifest", pushManifest},
	{"pull through the registry", pullStreamed},
	{"pull a range", pullRange},
	{"pull by a signed URL", pullSigned},
	{"sweep an abandoned upload", sweepAbandoned},
	{"delete a blob", deleteBlob},
}

// stepTime bounds one step.
const stepTime = 10 * time.Minute

// errUnused is the outcome of a step that the store does not offer.
var errUnused = errors.New("not offered")

// walk is one walk through all steps.
type walk struct {
	cluster  *cluster
	features driver.Features
	counter  *requests
	one, two *replica // two redirects no pulls
	small    []byte
	large    []byte
}

// rehearse makes all steps.
func rehearse(ctx context.Context, c *cluster, f driver.Features, counter *requests, done func(Step)) error {
	w := &walk{cluster: c, features: f, counter: counter, small: random(11, 64<<10), large: random(12, 2*c.parts+c.parts/2)}
	var err error
	if w.one, err = c.serve(ctx, blobstore.Options{}); err != nil {
		return err
	}
	defer w.one.stop()
	if w.two, err = c.serve(ctx, blobstore.Options{Redirect: redirect.Policy{Off: true}}); err != nil {
		return err
	}
	defer w.two.stop()
	for _, s := range steps {
		made := w.make(ctx, s)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		done(made)
	}
	return nil
}

func (w *walk) make(ctx context.Context, s step) Step {
	ctx, cancel := context.WithTimeout(ctx, stepTime)
	defer cancel()
	got := Step{Name: s.name}
	began, before := time.Now(), w.counter.sent.Load()
	got.Detail, got.Err = s.do(ctx, w)
	got.Took, got.Requests = time.Since(began), w.counter.sent.Load()-before
	if errors.Is(got.Err, errUnused) {
		got.Unused, got.Err = true, nil
	}
	return got
}

const repositoryName = "verify/app"

func (w *walk) at(r *replica) repository { return repository{r.url, repositoryName} }

func pushSingle(ctx context.Context, w *walk) (string, error) {
	at, err := w.at(w.one).begin(ctx)
	if err != nil {
		return "", err
	}
	return bytesOf(w.small), commit(ctx, at, digest.FromBytes(w.small), w.small)
}

func pushStreamed(ctx context.Context, w *walk) (string, error) {
	at, err := w.at(w.one).begin(ctx)
	if err != nil {
		return "", err
	}
	if at, err = patch(ctx, at, w.large); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s in parts of %s", bytesOf(w.large), driver.FormatBytes(w.cluster.parts)), commit(ctx, at, digest.FromBytes(w.large), nil)
}

func bytesOf(data []byte) string { return driver.FormatBytes(int64(len(data))) }

func mount(ctx context.Context, w *walk) (string, error) {
	d := digest.FromBytes(w.large)
	other := repository{w.one.url, "verify/mounted"}
	_, err := send(ctx, http.MethodPost, other.base+"/v2/"+other.name+"/blobs/uploads/?mount="+d.String()+"&from="+repositoryName, nil, 0, http.StatusCreated)
	return "", err
}

func pushManifest(ctx context.Context, w *walk) (string, error) {
	descriptor := func(mediaType string, data []byte) v1.Descriptor {
		return v1.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
	}
	text, err := json.Marshal(v1.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest,
		Config: descriptor(v1.MediaTypeImageConfig, w.small), Layers: []v1.Descriptor{descriptor(v1.MediaTypeImageLayer, w.large)},
	})
	if err != nil {
		return "", err
	}
	at := w.one.url + "/v2/" + repositoryName + "/manifests/verify"
	header := http.Header{"Content-Type": {v1.MediaTypeImageManifest}}
	if _, err := sendWith(ctx, http.MethodPut, at, header, bytes.NewReader(text), int64(len(text)), http.StatusCreated); err != nil {
		return "", err
	}
	at = w.two.url + "/v2/" + repositoryName + "/manifests/verify"
	got, err := sendWith(ctx, http.MethodGet, at, http.Header{"Accept": {v1.MediaTypeImageManifest}}, nil, 0, http.StatusOK)
	if err != nil {
		return "", err
	}
	return "and pull it by its tag", compare(got.body, digest.FromBytes(text))
}

func pullStreamed(ctx context.Context, w *walk) (string, error) {
	d := digest.FromBytes(w.large)
	got, err := send(ctx, http.MethodGet, w.at(w.two).blob(d), nil, 0, http.StatusOK)
	if err != nil {
		return "", err
	}
	return bytesOf(got.body), compare(got.body, d)
}

func pullRange(ctx context.Context, w *walk) (string, error) {
	from, to := w.cluster.parts-10, w.cluster.parts+9 // on both sides of where two parts meet
	header := http.Header{"Range": {fmt.Sprintf("bytes=%d-%d", from, to)}}
	got, err := sendWith(ctx, http.MethodGet, w.at(w.two).blob(digest.FromBytes(w.large)), header, nil, 0, http.StatusPartialContent)
	if err != nil {
		return "", err
	}
	if !bytes.Equal(got.body, w.large[from:to+1]) {
		return "", fmt.Errorf("other bytes than those of the range came: %w", driver.Corrupt)
	}
	return "", nil
}

func pullSigned(ctx context.Context, w *walk) (string, error) {
	if w.features.Sign == nil {
		return "", errUnused
	}
	d := digest.FromBytes(w.large)
	res, err := send(ctx, http.MethodGet, w.at(w.one).blob(d), nil, 0, http.StatusTemporaryRedirect)
	if err != nil {
		return "", err
	}
	got, err := send(w.counter.under(ctx), http.MethodGet, res.Header.Get("Location"), nil, 0, http.StatusOK)
	if err != nil {
		return "", fmt.Errorf("signed URL: %w", err)
	}
	return bytesOf(got.body), compare(got.body, d)
}

// sweepAbandoned leaves an upload behind. A sweep must find it, and its client must be
// told that it is gone.
func sweepAbandoned(ctx context.Context, w *walk) (string, error) {
	at, err := w.at(w.one).begin(ctx)
	if err != nil {
		return "", err
	}
	if at, err = patch(ctx, at, w.large); err != nil {
		return "", err
	}
	// The clocks may differ by a little: the upload may lie in this machine's future.
	for end := time.Now().Add(30 * time.Second); ; {
		if _, err := w.two.store.Sweep(ctx, blobstore.SweepOptions{OlderThan: time.Nanosecond}); err != nil {
			return "", err
		}
		_, err := send(ctx, http.MethodGet, at, nil, 0, http.StatusNotFound)
		if err == nil || time.Now().After(end) {
			return "", err
		}
		if err := wait(ctx, 500*time.Millisecond); err != nil {
			return "", err
		}
	}
}

func deleteBlob(ctx context.Context, w *walk) (string, error) {
	at := w.at(w.one).blob(digest.FromBytes(w.small))
	if _, err := send(ctx, http.MethodDelete, at, nil, 0, http.StatusAccepted); err != nil {
		return "", err
	}
	_, err := send(ctx, http.MethodHead, at, nil, 0, http.StatusNotFound)
	return "", err
}
