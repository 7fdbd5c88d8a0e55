package integration_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/layout"
)

// What an hour and a day are in a soak.
const (
	soakWait = 12 * time.Second
	soakAge  = 14 * time.Second
	// soakPush is less than a promise holds: three quarters of soakWait.
	soakPush = 8 * time.Second
)

// soakTime is how long a soak takes: BLOBDOCK_SOAK, 30 s.
func soakTime(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("BLOBDOCK_SOAK")
	if text == "" {
		return 30 * time.Second
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 30*time.Second {
		t.Fatalf("BLOBDOCK_SOAK=%q: want a duration of 30s or more", text)
	}
	return d
}

// TestSoak collects garbage without end, by collectors that overlap and are killed, while clients
// push, pull, mount, move tags and delete through replicas that are killed: nothing that was
// answered is lost, no push fails, and what is unused is gone in the end. make soak runs it for
// half an hour.
func TestSoak(t *testing.T) {
	onEach(t, func(t *testing.T, store cloud) {
		bucket := store.newBucket(t)
		s := &soak{inside: look(t, store, bucket), storage: store.bare(bucket) + "&collection_wait=" + soakWait.String(), env: store.env(t)}
		s.run(t, soakTime(t))
	})
}

type soak struct {
	inside  driver.Bucket
	storage string
	env     []string

	mu       sync.Mutex
	replicas []*process

	events, pushes, pulls, mounts, found, deletes, repeated, late, kills, runs, aborted, deleted atomic.Int64
}

const (
	soakReplicas   = 3
	soakClients    = 4
	soakCollectors = 2
	// soakAttempts bounds how often a push or a deletion is repeated. It is, beyond the soak's end: one
	// whose reply was lost has done something, and nobody would know what.
	soakAttempts = 50
)

func (s *soak) run(t *testing.T, length time.Duration) {
	for range soakReplicas {
		s.replicas = append(s.replicas, serving(t, s.env, byFile(t, s.storage)))
	}
	ctx, stop := context.WithTimeout(t.Context(), length)
	defer stop()
	var wg sync.WaitGroup
	clients := make([]*soakClient, soakClients)
	for i := range clients {
		clients[i] = &soakClient{soak: s, random: rand.New(rand.NewPCG(uint64(i), 7)), repos: []string{fmt.Sprintf("soak/a%d", i), fmt.Sprintf("soak/b%d", i)}, tags: make(map[string]soakImage)}
		wg.Go(func() { clients[i].run(ctx, t) })
	}
	for i := range soakCollectors {
		random := rand.New(rand.NewPCG(uint64(i), 8))
		wg.Go(func() {
			for ctx.Err() == nil && !t.Failed() {
				s.collect(ctx, t, random)
			}
		})
	}
	wg.Go(func() { s.killReplicas(ctx, t) })
	wg.Wait()
	stop()
	if t.Failed() {
		for _, p := range s.replicas {
			t.Logf("a replica:\n%s", p.stderr.String())
		}
		return
	}
	for _, c := range clients {
		c.pullAll(t)
	}
	s.empty(t, clients)
	t.Logf("%d events: %d pushes, %d repeated, %d that took too long; %d pulls, %d mounts, %d HEADs that found something, %d deletions; %d kills of replicas; %d collections deleted %d objects, %d ended as the store did not answer",
		s.events.Load(), s.pushes.Load(), s.repeated.Load(), s.late.Load(), s.pulls.Load(), s.mounts.Load(), s.found.Load(), s.deletes.Load(), s.kills.Load(), s.runs.Load(), s.deleted.Load(), s.aborted.Load())
	if s.aborted.Load() > max(2, s.runs.Load()/20) {
		t.Error("the store does not answer too often")
	}
	if s.pushes.Load() == 0 || s.deleted.Load() == 0 || s.found.Load() == 0 {
		t.Error("the soak tells nothing")
	}
}

// collect runs a collector, and kills one in five.
func (s *soak) collect(ctx context.Context, t *testing.T, random *rand.Rand) {
	t.Helper()
	p := launch(t, s.env, "gc", "--json", "--older-than", soakAge.String(), "--untagged", "delete", s.storage)
	kill := time.After(time.Hour)
	if random.IntN(5) == 0 {
		kill = time.After(time.Duration(random.Int64N(int64(2 * soakWait))))
	}
	select {
	case <-p.done:
	case <-kill:
		p.kill()
		s.kills.Add(1)
		return
	case <-ctx.Done():
		p.kill()
		return
	}
	s.count(t, p)
}

// count reads what a collector has printed.
func (s *soak) count(t *testing.T, p *process) int64 {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(p.stdout.String()), "\n")
	var sum struct {
		Kind     string
		Deleted  int64
		Unused   int64
		Adopted  int64
		Complete bool
	}
	err := json.Unmarshal([]byte(lines[len(lines)-1]), &sum)
	if err == nil && !sum.Complete && strings.Contains(p.stderr.String(), driver.Unavailable.String()) {
		s.aborted.Add(1) // the emulator has stood still for longer than requests are repeated
		return 1
	}
	if err != nil || sum.Kind != "summary" || !sum.Complete {
		t.Errorf("gc: %v\n%s\n%s", err, lines[len(lines)-1], p.stderr.String())
		return 0
	}
	s.runs.Add(1)
	s.deleted.Add(sum.Deleted)
	return sum.Deleted + sum.Unused + sum.Adopted
}

// killReplicas kills a replica now and then, and starts another.
func (s *soak) killReplicas(ctx context.Context, t *testing.T) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 9))
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(5*time.Second + time.Duration(random.Int64N(int64(5*time.Second)))):
		}
		i := random.IntN(soakReplicas)
		s.mu.Lock()
		victim := s.replicas[i]
		s.mu.Unlock()
		victim.kill()
		s.kills.Add(1)
		if ctx.Err() != nil {
			return
		}
		p := serving(t, s.env, byFile(t, s.storage))
		s.mu.Lock()
		s.replicas[i] = p
		s.mu.Unlock()
	}
}

// url is that of some replica.
func (s *soak) url(random *rand.Rand) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.replicas[random.IntN(soakReplicas)].url
}

// empty deletes all, and finds nothing left once garbage was collected.
func (s *soak) empty(t *testing.T, clients []*soakClient) {
	t.Helper()
	want := make(map[digest.Digest]bool)
	for _, c := range clients {
		for _, img := range c.tags {
			want[img.digest] = true
			for _, b := range img.blobs {
				want[b.digest()] = true
			}
		}
	}
	// What was pushed last must grow old, manifests go before their blobs, and what was condemned by a
	// collector that was killed is adopted.
	for range 8 {
		time.Sleep(soakAge / 2)
		p := launch(t, s.env, "gc", "--json", "--older-than", soakAge.String(), "--untagged", "delete", s.storage)
		p.code(t, 5*time.Minute)
		if s.count(t, p) == 0 && len(s.left(t, want)) == 0 {
			break
		}
	}
	if left := s.left(t, want); len(left) > 0 {
		t.Errorf("left, though nobody needs it:\n%s", strings.Join(left, "\n"))
	}
	for _, c := range clients {
		c.pullAll(t)
	}
}

// left lists the blobs that nobody needs, and the tombstones.
func (s *soak) left(t *testing.T, want map[digest.Digest]bool) (keys []string) {
	t.Helper()
	l := layout.Layout{Root: layout.DefaultRoot}
	for _, prefix := range []string{l.Blobs(), l.AllTombstones()} {
		for e, err := range driver.List(t.Context(), s.inside, driver.ListRequest{Prefix: prefix}) {
			if err != nil {
				t.Fatal(err)
			}
			if name, ok := l.Parse(e.Key); !ok || !want[name.Digest] {
				keys = append(keys, e.Key)
			}
		}
	}
	return keys
}

// soakClient has repositories of its own, and layers that all clients have.
type soakClient struct {
	*soak
	random *rand.Rand
	repos  []string
	tags   map[string]soakImage // by repository and tag
}

type soakImage struct {
	digest digest.Digest
	blobs  []content
}

func (c *soakClient) run(ctx context.Context, t *testing.T) {
	t.Helper()
	for ctx.Err() == nil && !t.Failed() {
		at := fmt.Sprintf("%s v%d", c.repos[c.random.IntN(len(c.repos))], c.random.IntN(4))
		_, there := c.tags[at]
		switch n := c.random.IntN(10); {
		case n < 5 || !there:
			c.push(t, at)
		case n < 8:
			c.pull(ctx, t, at)
		default:
			c.remove(t, at)
		}
		time.Sleep(time.Duration(c.random.IntN(100)) * time.Millisecond)
	}
}

// ask sends a request to some replica. It is false when it must be repeated: the replica was killed,
// or says so itself.
func (c *soakClient) ask(t *testing.T, method, path string, header map[string]string, body io.Reader, length int64) (reply, bool) {
	t.Helper()
	c.events.Add(1)
	base := c.url(c.random)
	if strings.HasPrefix(path, "http") {
		base = ""
	}
	res, err := send(t, method, base+path, header, body, length)
	if err != nil || res.StatusCode >= 500 || res.StatusCode == http.StatusTooManyRequests {
		time.Sleep(200 * time.Millisecond)
		return res, false
	}
	return res, true
}

// push pushes an image, from the beginning until it succeeds.
func (c *soakClient) push(t *testing.T, at string) {
	t.Helper()
	repo, tag, _ := strings.Cut(at, " ")
	img := soakImage{blobs: []content{{kib, 1_000_000 + c.random.Uint64N(1_000_000)}}}
	for range 1 + c.random.IntN(3) {
		img.blobs = append(img.blobs, content{4 * kib, c.random.Uint64N(30)})
	}
	m := v1.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest}
	for i, b := range img.blobs {
		desc := v1.Descriptor{MediaType: v1.MediaTypeImageLayerGzip, Digest: b.digest(), Size: b.size}
		if i == 0 {
			m.Config = desc
		} else {
			m.Layers = append(m.Layers, desc)
		}
	}
	text, err := json.Marshal(m)
	if err != nil {
		t.Error(err)
		return
	}
	img.digest = digest.FromBytes(text)
	delete(c.tags, at) // which of both it is, is not known until the push has ended
	for range soakAttempts {
		began := time.Now()
		done, refused := c.attempt(t, repo, tag, img, text)
		switch {
		case done:
			c.tags[at] = img
			c.pushes.Add(1)
			return
		case refused != "" && time.Since(began) > soakPush:
			c.late.Add(1)
		case refused != "":
			t.Errorf("push to %s after %v: %s", at, time.Since(began), refused)
			return
		}
		c.repeated.Add(1)
	}
	t.Errorf("push to %s: no answer", at)
}

// attempt is one attempt of a push. refused is what it was answered that no client should be.
func (c *soakClient) attempt(t *testing.T, repo, tag string, img soakImage, text []byte) (done bool, refused string) {
	t.Helper()
	for _, b := range img.blobs {
		res, ok := c.ask(t, http.MethodHead, "/v2/"+repo+"/blobs/"+b.digest().String(), nil, nil, 0)
		if !ok {
			return false, ""
		}
		if res.StatusCode == http.StatusOK {
			c.found.Add(1)
			continue
		}
		from := "/v2/" + repo + "/blobs/uploads/"
		if c.random.IntN(3) == 0 {
			from += "?mount=" + b.digest().String() + "&from=" + c.repos[c.random.IntN(len(c.repos))]
		}
		if res, ok = c.ask(t, http.MethodPost, from, nil, nil, 0); !ok {
			return false, ""
		}
		if res.StatusCode == http.StatusCreated {
			c.mounts.Add(1)
			continue
		}
		if res.StatusCode != http.StatusAccepted {
			return false, fmt.Sprintf("POST: %s: %s", res.Status, res.body)
		}
		res, ok = c.ask(t, http.MethodPut, withDigest(res.location(), b.digest()), nil, b.reader(), b.size)
		if !ok {
			return false, ""
		}
		if res.StatusCode != http.StatusCreated {
			return false, fmt.Sprintf("PUT: %s: %s", res.Status, res.body)
		}
	}
	time.Sleep(time.Duration(c.random.Int64N(int64(2 * time.Second))))
	header := map[string]string{"Content-Type": v1.MediaTypeImageManifest}
	res, ok := c.ask(t, http.MethodPut, "/v2/"+repo+"/manifests/"+tag, header, strings.NewReader(string(text)), int64(len(text)))
	if !ok {
		return false, ""
	}
	if res.StatusCode != http.StatusCreated {
		return false, fmt.Sprintf("PUT of the manifest: %s: %s", res.Status, res.body)
	}
	return true, ""
}

// pull pulls an image that was pushed, and is there.
func (c *soakClient) pull(ctx context.Context, t *testing.T, at string) {
	t.Helper()
	repo, tag, _ := strings.Cut(at, " ")
	img := c.tags[at]
	get := func(path string, want digest.Digest) bool {
		for range soakAttempts {
			res, ok := c.ask(t, http.MethodGet, path, map[string]string{"Accept": v1.MediaTypeImageManifest}, nil, 0)
			if ok && res.StatusCode == http.StatusTemporaryRedirect {
				res, ok = c.ask(t, http.MethodGet, res.location(), nil, nil, 0)
			}
			if !ok && ctx.Err() == nil {
				continue
			}
			if !ok {
				return false
			}
			if res.StatusCode != http.StatusOK || digest.FromString(res.body) != want {
				t.Errorf("%s of %s: %s with %d bytes", path, at, res.Status, len(res.body))
				return false
			}
			return true
		}
		t.Errorf("%s of %s: no answer", path, at)
		return false
	}
	if !get("/v2/"+repo+"/manifests/"+tag, img.digest) {
		return
	}
	for _, b := range img.blobs {
		if !get("/v2/"+repo+"/blobs/"+b.digest().String(), b.digest()) {
			return
		}
	}
	c.pulls.Add(1)
}

// pullAll pulls all images that must be there.
func (c *soakClient) pullAll(t *testing.T) {
	t.Helper()
	for at := range c.tags {
		c.pull(t.Context(), t, at)
	}
}

// remove deletes an image, with all its tags.
func (c *soakClient) remove(t *testing.T, at string) {
	t.Helper()
	repo, _, _ := strings.Cut(at, " ")
	img := c.tags[at]
	for other, it := range c.tags {
		if strings.HasPrefix(other, repo+" ") && it.digest == img.digest {
			delete(c.tags, other)
		}
	}
	for range soakAttempts {
		res, ok := c.ask(t, http.MethodDelete, "/v2/"+repo+"/manifests/"+img.digest.String(), nil, nil, 0)
		if !ok {
			continue
		}
		// 404 after an answer was lost
		if res.StatusCode != http.StatusAccepted && res.StatusCode != http.StatusNotFound {
			t.Errorf("DELETE of %s: %s: %s", at, res.Status, res.body)
		}
		c.deletes.Add(1)
		return
	}
	t.Errorf("DELETE of %s: no answer", at)
}
