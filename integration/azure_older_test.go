package integration_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/integration/emulator"
)

// older replaces each object by an append blob whose key begins with a slash, as distribution 2
// wrote them.
// https://github.com/distribution/distribution/issues/1247
func (a appended) older(t *testing.T) {
	t.Helper()
	for _, key := range keys(t, a.behind) {
		if strings.Contains(key, "/_uploads/") {
			continue // it is being removed
		}
		got, err := a.emulator.NewBlobClient(key).DownloadStream(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(got.Body)
		_ = got.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		a.create(t, "/"+key, data)
		if err := a.behind.Delete(t.Context(), key, driver.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAzureOlderLayout has a registry whose keys begin with a slash: check tells where it is,
// copy moves it, within its container, too, and it is served, pushed to and pulled from in place.
func TestAzureOlderLayout(t *testing.T) {
	t.Parallel()
	c := azureCloud{Azure: emulator.StartAzure(t)}
	a := newAppended(t, c)
	img, layer := randomImage(t, 100*kib, 2), content{12 * mib, 1}
	base := serving(t, c.env(t), byFlags(c.bare(a.bucket))).url
	writeImage(t, base, "team/app:v1", img)
	push(t, base, "team/app", layer, 0)
	a.older(t)
	for _, key := range keys(t, a.behind) {
		if !strings.HasPrefix(key, "/") && !strings.Contains(key, "/_uploads/") {
			t.Fatalf("%s does not begin with a slash", key)
		}
	}
	old := c
	old.prefix = "//"
	older := old.bare(a.bucket)

	p := launch(t, c.env(t), "check", "--older-than", "0s", c.bare(a.bucket))
	if code := p.code(t, time.Minute); code != 1 || !strings.Contains(p.stderr.String(), "older layout") || !strings.Contains(p.stderr.String(), "azblob://"+a.bucket+"//") {
		t.Errorf("check of the container: exit code %d\n%s", code, p.stderr.String())
	}
	p = launch(t, c.env(t), "copy", c.bare(a.bucket), "mem://nowhere")
	if code := p.code(t, time.Minute); code != 1 || !strings.Contains(p.stderr.String(), "azblob://"+a.bucket+"//") {
		t.Errorf("copy of the container: exit code %d\n%s", code, p.stderr.String())
	}
	for _, args := range [][]string{{"check", "--older-than", "0s", older}, {"copy", older, c.bare(a.bucket)}, {"check", "--older-than", "0s", c.bare(a.bucket)}} {
		p := launch(t, c.env(t), args...)
		if code := p.code(t, time.Minute); code != 0 {
			t.Errorf("%s: exit code %d\n%s%s", args, code, p.stdout.String(), p.stderr.String())
		}
	}
	for _, at := range []string{c.bare(a.bucket), older} {
		s := serving(t, c.env(t), byFlags(at))
		readImage(t, s.url, "team/app:v1", hashOf(t, img))
		pullSame(t, s.url, "team/app", layer)
		next, long := randomImage(t, 100*kib, 2), content{20 * mib, 2}
		writeImage(t, s.url, "team/next:v1", next)
		push(t, s.url, "team/next", long, 8*mib)
		readImage(t, s.url, "team/next:v1", hashOf(t, next))
		pullSame(t, s.url, "team/next", long)
		resp := do(t, http.MethodDelete, s.url+"/v2/team/next/manifests/"+hashOf(t, next).String(), nil, nil)
		resp.want(t, http.StatusAccepted)
		s.kill()
	}
}
