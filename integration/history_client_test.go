//go:build unix

package integration_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// historyPatience is how long a client waits for an answer: longer than an emulator stands still.
const historyPatience = 45 * time.Second

// historyClient does what chance has it do, and records it.
type historyClient struct {
	t        *testing.T
	id       int
	random   *rand.Rand
	replicas []*historyReplica
	keys     *historyKeys
	into     *history
}

// historyKeys are the keys that clients have in common.
type historyKeys struct {
	repo      string
	manifests [][]byte
	blobs     []content
	// compares is that the store compares what it deletes. Elsewhere a deletion by digest may take the
	// tag along that is becoming another manifest, and clients delete none so.
	compares bool

	mu   sync.Mutex
	made int
	tags []digest.Digest // what each tag was last made
}

const historyConfig = 300 // bytes of the config that all manifests have

// newHistoryKeys makes n keys of each kind in repositories that the seed names.
func newHistoryKeys(t *testing.T, seed uint64, n int, compares bool) *historyKeys {
	t.Helper()
	k := &historyKeys{compares: compares, repo: fmt.Sprint("round", seed), tags: make([]digest.Digest, n)}
	for i := range n {
		k.manifests = append(k.manifests, historyManifest(t, fmt.Sprintf("manifest %d of round %d", i, seed)))
		k.blobs = append(k.blobs, content{int64(1000 + 5000*i), seed<<8 + uint64(i)})
	}
	return k
}

// historyManifest is a manifest that differs from others in its name.
func historyManifest(t *testing.T, name string) []byte {
	t.Helper()
	config := content{historyConfig, 1}
	text, err := json.Marshal(v1.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest,
		Config:      v1.Descriptor{MediaType: v1.MediaTypeImageConfig, Digest: config.digest(), Size: config.size},
		Layers:      []v1.Descriptor{},
		Annotations: map[string]string{"name": name},
	})
	if err != nil {
		t.Error(err)
	}
	return text
}

// run works until over is closed.
func (c *historyClient) run(over <-chan struct{}) {
	for !c.t.Failed() {
		c.one()
		select {
		case <-over:
			return
		case <-time.After(time.Duration(c.random.IntN(40)) * time.Millisecond):
		}
	}
}

// one does one operation at some replica.
func (c *historyClient) one() {
	e := event{registerName: registerName{registerKind(c.random.IntN(3)), c.random.IntN(len(c.keys.blobs))}}
	weights := [...]int{opPut: 4, opRead: 10, opHead: 3, opDelete: 2} // caches are emptied by deletions
	if e.kind == tagRegister {
		weights = [...]int{opPut: 6, opRead: 6, opHead: 3, opDelete: 2}
	}
	for n := c.random.IntN(20); int(e.op) < len(weights) && n >= weights[e.op]; e.op++ {
		n -= weights[e.op]
	}
	if e.op == opDeleteDigest && (e.kind != tagRegister || !c.keys.compares) {
		e.op = opRead
	}
	c.do(c.replicas[c.random.IntN(len(c.replicas))], e)
}

// do carries e out at a replica, and returns it with its outcome.
func (c *historyClient) do(r *historyReplica, e event) event {
	base, process := r.at()
	e.client, e.process = c.id, process
	ctx, cancel := context.WithTimeout(c.t.Context(), historyPatience)
	defer cancel()
	e.began = c.into.now()
	var err error
	switch e.kind {
	case tagRegister:
		err = c.tag(ctx, base, &e)
	case manifestRegister:
		err = c.manifest(ctx, base, &e)
	default:
		err = c.blob(ctx, base, &e)
	}
	e.ended = c.into.now()
	if err != nil {
		e.trouble = err.Error()
	}
	if !errors.Is(err, errNoEffect) && !errors.Is(err, syscall.ECONNREFUSED) {
		c.into.add(e)
	}
	return e
}

// errNoEffect is how an operation fails that can't have changed anything.
var errNoEffect = errors.New("nothing was done")

func (c *historyClient) tag(ctx context.Context, base string, e *event) error {
	at := fmt.Sprintf("%s/v2/%s/tags/manifests/v%d", base, c.keys.repo, e.key)
	switch e.op {
	case opPut:
		c.keys.mu.Lock()
		c.keys.made++
		name := fmt.Sprintf("tag %d of %s, %d", e.key, c.keys.repo, c.keys.made)
		c.keys.mu.Unlock()
		text := historyManifest(c.t, name)
		e.value = digest.FromBytes(text).String()
		err := c.put(ctx, e, at, text)
		c.keys.mu.Lock()
		defer c.keys.mu.Unlock()
		c.keys.tags[e.key] = digest.Digest(e.value)
		return err
	case opDeleteDigest:
		c.keys.mu.Lock()
		d := c.keys.tags[e.key]
		c.keys.mu.Unlock()
		if d == "" {
			return errNoEffect
		}
		e.value = d.String()
		_, err := c.ask(ctx, e, http.MethodDelete, fmt.Sprintf("%s/v2/%s/tags/manifests/%s", base, c.keys.repo, d), nil, http.StatusAccepted, http.StatusNotFound)
		e.found = e.status == http.StatusAccepted
		return err
	default:
		return c.look(ctx, e, at)
	}
}

func (c *historyClient) manifest(ctx context.Context, base string, e *event) error {
	text := c.keys.manifests[e.key]
	at := fmt.Sprintf("%s/v2/%s/manifests/manifests/%s", base, c.keys.repo, digest.FromBytes(text))
	if e.op == opPut {
		e.value = there
		return c.put(ctx, e, at, text)
	}
	return c.look(ctx, e, at)
}

func (c *historyClient) put(ctx context.Context, e *event, at string, text []byte) error {
	_, err := c.ask(ctx, e, http.MethodPut, at, text, http.StatusCreated)
	return err
}

// look is a GET, HEAD or DELETE. What is found is a digest, where the key is a tag.
func (c *historyClient) look(ctx context.Context, e *event, at string) error {
	method, want := e.op.String(), http.StatusOK
	if e.op == opDelete {
		want = http.StatusAccepted
	}
	res, err := c.ask(ctx, e, method, at, nil, want, http.StatusNotFound)
	if err != nil || res.StatusCode != want {
		return err
	}
	e.found, e.value = true, there
	told := res.Header.Get("Docker-Content-Digest")
	if e.kind == tagRegister && e.op != opDelete {
		e.value = told
	}
	if e.op == opRead && digest.FromString(res.body) != digest.Digest(at[strings.LastIndex(at, "/")+1:]) && (e.kind != tagRegister || digest.FromString(res.body).String() != told) {
		c.t.Errorf("%s: content of %s", e, digest.FromString(res.body))
	}
	return nil
}

func (c *historyClient) blob(ctx context.Context, base string, e *event) error {
	blob, repo := c.keys.blobs[e.key], base+"/v2/"+c.keys.repo+"/blobs"
	if e.op != opPut {
		return c.look(ctx, e, repo+"/blobs/"+blob.digest().String())
	}
	e.value = there
	res, err := c.ask(ctx, e, http.MethodPost, repo+"/blobs/uploads/", nil, http.StatusAccepted)
	if err != nil || res.StatusCode != http.StatusAccepted {
		return errNoEffect // nothing has come of it
	}
	*e = event{registerName: e.registerName, client: e.client, process: e.process, op: e.op, began: e.began, value: there}
	_, err = c.ask(ctx, e, http.MethodPut, withDigest(onReplica(c.t, base, res.location()), blob.digest()), blob.bytes(c.t), http.StatusCreated)
	return err
}

// ask sends a request, and fails the test on an answer that is neither wanted nor says that the
// registry is out of order.
func (c *historyClient) ask(ctx context.Context, e *event, method, at string, body []byte, want ...int) (reply, error) {
	var r io.Reader
	if body != nil {
		r = strings.NewReader(string(body))
	}
	req, err := http.NewRequestWithContext(ctx, method, at, r)
	if err != nil {
		return reply{}, err
	}
	req.Header.Set("Accept", v1.MediaTypeImageManifest)
	if req.Header.Set("Content-Type", "application/octet-stream"); strings.Contains(at, "/manifests/") {
		req.Header.Set("Content-Type", v1.MediaTypeImageManifest)
	}
	res, err := following.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return reply{}, err
	}
	e.status = res.StatusCode
	if !e.answered() {
		return reply{res, string(text)}, fmt.Errorf("%s: %.200s", res.Status, text)
	}
	for _, w := range want {
		if res.StatusCode == w {
			return reply{res, string(text)}, nil
		}
	}
	c.t.Errorf("%s: %s %.300s", e, res.Status, text)
	return reply{res, string(text)}, errNoEffect
}
