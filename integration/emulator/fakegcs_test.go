package emulator

import (
	"bytes"
	"net/http"
	"os"
	"strings"
	"testing"
)

func TestStartGCS(t *testing.T) {
	g := StartGCS(t)
	t.Logf("%s at %s", g.Way, g.Endpoint)
	if forced := os.Getenv(wayVar); forced != "" && g.Way != forced {
		t.Fatalf("way = %s, want %s, which %s forces", g.Way, forced, wayVar)
	}
	gcsWorks(t, g)
	if again := StartGCS(t); again != g {
		t.Errorf("second StartGCS = %+v, want the same server %+v", again, g)
	}
}

// gcsWorks writes by the JSON API and reads by the XML API.
func gcsWorks(t *testing.T, g GCS) {
	t.Helper()
	bucket := g.NewBucket(t)
	want := strings.Repeat("blobdock ", 1<<10)
	put, err := http.Post(g.Endpoint+"/upload/storage/v1/b/"+bucket+"/o?uploadType=media&name=a%2Fkey", "text/plain", strings.NewReader(want))
	if err != nil {
		t.Fatal(err)
	}
	defer put.Body.Close()
	if put.StatusCode != http.StatusOK {
		t.Fatalf("insert: %s", put.Status)
	}
	get, err := http.Get(g.Endpoint + "/" + bucket + "/a/key")
	if err != nil {
		t.Fatal(err)
	}
	defer get.Body.Close()
	var got bytes.Buffer
	if _, err := got.ReadFrom(get.Body); err != nil || get.StatusCode != http.StatusOK || got.String() != want {
		t.Errorf("read: %s, %v, %d bytes, want %d", get.Status, err, got.Len(), len(want))
	}
}

// Native has to work also where Docker is there and comes first.
func TestNativeGCS(t *testing.T) {
	srv, err := launch(t.Context(), fakeGCS(), []string{Native})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.close(); err != nil {
			t.Error(err)
		}
	})
	gcsWorks(t, fakeGCSAt(srv.endpoint, srv.way))
}

func TestEnvironmentGCS(t *testing.T) {
	own := StartGCS(t)
	t.Setenv(wayVar, "")
	t.Setenv("BLOBDOCK_GCS_ENDPOINT", own.Endpoint)
	g, ok, err := environmentGCS(t.Context())
	if err != nil || !ok || g.Endpoint != own.Endpoint || g.Way != Environment {
		t.Errorf("environmentGCS = %+v, %v, %v", g, ok, err)
	}
	t.Setenv("BLOBDOCK_GCS_ENDPOINT", "http://127.0.0.1:1")
	if _, _, err := environmentGCS(t.Context()); err == nil || !strings.Contains(err.Error(), "BLOBDOCK_GCS_ENDPOINT") {
		t.Errorf("without a server: %v, want an error that names the variable", err)
	}
	t.Setenv(wayVar, Native)
	if _, ok, err := environmentGCS(t.Context()); ok || err != nil {
		t.Errorf("with %s=%s: %v, %v, want the forced way to win", wayVar, Native, ok, err)
	}
}

func TestPinnedFakeGCS(t *testing.T) {
	b, err := os.ReadFile("fakegcs/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if want := "github.com/fsouza/fake-gcs-server " + fakeGCSVersion; !bytes.Contains(b, []byte(want)) {
		t.Errorf("fakegcs/go.mod doesn't pin %s", want)
	}
}
