package integration_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/blobdock/blobdock/integration/emulator"
)

// TestServeDefaults runs "blobdock serve" with no more than an address, pushes and
// pulls, and stops it by Ctrl-C while a request runs.
func TestServeDefaults(t *testing.T) {
	t.Parallel()
	p := serving(t, nil, func(addr string) []string { return []string{"--listen", addr} })
	addr := strings.TrimPrefix(p.url, "http://")
	data := filepath.Join(p.cmd.Dir, "blobdock-data")
	lines := strings.Split(strings.TrimSpace(p.stdout.String()), "\n")
	for i, want := range []string{
		"registry   " + p.url,
		"storage    file://./blobdock-data  (" + data + ")",
		"try        crane copy alpine:latest " + addr + "/alpine:latest",
		"           docker push " + addr + "/alpine:latest",
	} {
		if i >= len(lines) || lines[i] != want {
			t.Fatalf("line %d of the banner is not %q:\n%s", i, want, p.stdout.String())
		}
	}
	img := randomImage(t, 50*kib, 2)
	writeImage(t, p.url, "default/image:v1", img)
	readImage(t, p.url, "default/image:v1", hashOf(t, img))
	if _, err := os.Stat(filepath.Join(data, "docker", "registry", "v2", "blobs")); err != nil {
		t.Error(err)
	}

	c := content{10 * mib, 1}
	conn := unfinished(t, begin(t, p.url, "drained"), c, 0, 5*mib)
	// The server has to have begun with the request, or it needs no draining.
	time.Sleep(300 * time.Millisecond)
	p.interrupt(t)
	wantRefused(t, addr)
	if _, err := io.Copy(conn, c.section(5*mib, 5*mib)); err != nil {
		t.Fatalf("the running request: %v", err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("the running request: %v", err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusAccepted {
		t.Errorf("the running request: %s, want 202", res.Status)
	}
	if code := p.code(t, 20*time.Second); code != 0 {
		t.Errorf("exit code %d after Ctrl-C, want 0\n%s", code, p.stderr.String())
	}
}

// wantRefused waits until nobody listens at addr.
func wantRefused(t *testing.T, addr string) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		conn, err := net.DialTimeout("tcp", addr, time.Second)
		if err != nil {
			return
		}
		conn.Close()
	}
	t.Fatal("it still listens after Ctrl-C")
}

// refusal is a start that can't work.
type refusal struct {
	name string
	env  []string
	args []string
	want []string // in stderr
}

// TestServeRefuses starts with what can't work. Each ends at once, with one line
// that says what is wrong and holds no secret.
func TestServeRefuses(t *testing.T) {
	onEach(t, func(t *testing.T, c cloud) {
		bucket := c.newBucket(t)
		const absent = "blobdock-no-such-bucket"
		closed := freeAddr(t)
		for _, tc := range []refusal{
			{"unknown bucket", c.env(t), []string{"--storage", c.bare(absent)}, []string{absent, "bucket"}},
			{"wrong key", c.wrong().env(t), []string{"--storage", c.bare(bucket)}, []string{bucket}},
			{"closed port", c.env(t), []string{"--storage", c.at("http://"+closed).bare(bucket) + "&storage_wait=0s"}, []string{closed, "refused"}},
			{"misspelt parameter", nil, []string{"--storage", c.bare(bucket) + "&concurency=1"}, []string{"concurency", "concurrency"}},
			{"bad value", nil, []string{"--storage", c.bare(bucket) + "&part_size=lots"}, []string{"part_size", "lots"}},
		} {
			wantRefusal(t, tc)
		}
	})
	t.Run("s3 alone", func(t *testing.T) {
		t.Parallel()
		s := emulator.Start(t)
		bucket, stranger := s.NewBucket(t), onMinIO(s)
		stranger.AccessKey = "nobody-by-this-name"
		for _, tc := range []refusal{
			{"wrong secret key", onMinIO(s).wrong().env(t), []string{"--storage", stranger.bare(bucket)}, []string{bucket, "secret"}},
			{"unknown access key", stranger.env(t), []string{"--storage", stranger.bare(bucket)}, []string{bucket, "access key"}},
			{"no credentials", nil, []string{"--storage", stranger.bare(bucket)}, []string{bucket, "credentials"}},
			{"secret in the URL", nil, []string{"--storage", "s3://user:s3cr3t@" + bucket}, []string{"credentials"}},
		} {
			wantRefusal(t, tc)
		}
	})
	t.Run("azure alone", func(t *testing.T) {
		t.Parallel()
		stranger := azureCloud{Azure: emulator.StartAzure(t)}
		bucket := stranger.newBucket(t)
		stranger.Endpoint = stranger.Endpoint[:strings.LastIndex(stranger.Endpoint, "/")] + "/stranger"
		for _, tc := range []refusal{
			{"unknown account", stranger.env(t), []string{"--storage", stranger.bare(bucket)}, []string{"ResourceNotFound", "no such account", "check account"}},
			{"untidy client", []string{"AZURE_CLIENT_SECRET=s3cr3t\n"}, []string{"--storage", stranger.bare(bucket)}, []string{"AZURE_CLIENT_SECRET", "white space"}},
		} {
			wantRefusal(t, tc)
		}
	})
	t.Run("any store", func(t *testing.T) {
		t.Parallel()
		redis := filepath.Join(t.TempDir(), "redis.yml") // as version 2 of distribution had it
		if err := os.WriteFile(redis, []byte("version: 0.1\nlog: {level: error}\nstorage: {blobdock: {url: \"mem://redis\"}, cache: {blobdescriptor: redis}}\nredis: {addr: \"localhost:6379\", password: s3cr3t}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, tc := range []refusal{
			{"unknown scheme", nil, []string{"--storage", "ftp://host"}, []string{"ftp", "s3", "file", "gs", "azblob"}},
			{"bad redirect", nil, []string{"--redirect", "maybe"}, []string{"--redirect", "on or off"}},
			{"bad address", nil, []string{"--listen", "5000"}, []string{"--listen", "host:port"}},
			{"bad log level", nil, []string{"--log-level", "loud"}, []string{"--log-level", "debug"}},
			{"unknown flag", nil, []string{"--nope"}, []string{"--nope"}},
			{"no such file", nil, []string{"none.yml"}, []string{"none.yml"}},
			{"a redis of version 2", nil, []string{redis}, []string{"redis configuration required"}},
			{"two files", nil, []string{"one.yml", "two.yml"}, []string{"1 arg"}},
			{"a variable of another driver", []string{"REGISTRY_STORAGE_S3_BUCKET=s3cr3t"}, []string{"--log-level=info"}, []string{"REGISTRY_STORAGE_S3_BUCKET"}},
			{"a service named registry-storage", []string{"REGISTRY_STORAGE_SERVICE_HOST=10.0.0.1", "REGISTRY_STORAGE_SERVICE_PORT=80", "REGISTRY_STORAGE_PORT=tcp://10.0.0.1:80"}, []string{"--log-level=info"}, []string{"REGISTRY_STORAGE_PORT", "enableServiceLinks: false"}},
			{"a variable that is no level", []string{"REGISTRY_LOG_LEVEL=s3cr3t"}, []string{"--log-level=info"}, []string{"REGISTRY_LOG_LEVEL"}},
		} {
			wantRefusal(t, tc)
		}
	})
}

func wantRefusal(t *testing.T, tc refusal) {
	t.Helper()
	t.Run(tc.name, func(t *testing.T) {
		args := append([]string{"serve"}, tc.args...)
		if !strings.HasPrefix(tc.args[0], "--listen") {
			args = append(args, "--listen="+freeAddr(t))
		}
		p := launch(t, tc.env, args...)
		if code := p.code(t, 30*time.Second); code != 1 {
			t.Errorf("exit code %d, want 1", code)
		}
		got := p.stderr.String()
		if strings.Count(got, "\n") != 1 || !strings.HasPrefix(got, "blobdock: ") || p.stdout.String() != "" {
			t.Errorf("want one line on stderr alone, got\n%s%s", p.stdout.String(), got)
		}
		for _, want := range tc.want {
			if !strings.Contains(strings.ToLower(got), strings.ToLower(want)) {
				t.Errorf("does not name %q:\n%s", want, got)
			}
		}
		for _, secret := range []string{wrongSecret, "s3cr3t", "AWS4-HMAC", "Signature=", "sig=", "SharedKey", "PRIVATE KEY"} {
			if strings.Contains(got, secret) {
				t.Errorf("tells a secret:\n%s", got)
			}
		}
	})
}

// TestServeBusyAddress starts where another listens already.
func TestServeBusyAddress(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p := launch(t, nil, "serve", "--listen", l.Addr().String())
	if code := p.code(t, 30*time.Second); code != 1 || !strings.Contains(p.stderr.String(), "address already in use") {
		t.Errorf("exit code %d, want 1\n%s", code, p.stderr.String())
	}
	if strings.Contains(p.stdout.String(), "registry") {
		t.Errorf("says that it serves:\n%s", p.stdout.String())
	}
}
