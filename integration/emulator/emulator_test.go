package emulator

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/testcontainers/testcontainers-go"
)

func TestMain(m *testing.M) {
	if os.Getenv(orphanVar) != "" {
		orphan()
	}
	os.Exit(Run(m))
}

// orphanVar makes this test binary start a server and then hang, to be killed.
const orphanVar = "BLOBDOCK_TEST_ORPHAN"

func orphan() {
	s, err := launch(context.Background(), minio(), []string{os.Getenv(orphanVar)})
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	fmt.Println(s.endpoint)
	select {}
}

// sdk returns the real SDK's client: what the tests of blobdock use.
func sdk(s S3) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: aws.String(s.Endpoint),
		Region:       s.Region,
		Credentials:  credentials.NewStaticCredentialsProvider(s.AccessKey, s.SecretKey, ""),
		UsePathStyle: true,
	})
}

func put(t *testing.T, s S3, bucket, key, body string) {
	t.Helper()
	_, err := sdk(s).PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: &bucket, Key: &key, Body: strings.NewReader(body),
	})
	if err != nil {
		t.Fatalf("PutObject(%q): %v", key, err)
	}
}

func get(t *testing.T, s S3, bucket, key string) string {
	t.Helper()
	out, err := sdk(s).GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		t.Fatalf("GetObject(%q): %v", key, err)
	}
	defer out.Body.Close()
	b, err := io.ReadAll(out.Body)
	if err != nil {
		t.Fatalf("read %q: %v", key, err)
	}
	return string(b)
}

func TestStart(t *testing.T) {
	s := Start(t)
	t.Logf("%s at %s", s.Way, s.Endpoint)
	if forced := os.Getenv(wayVar); forced != "" && s.Way != forced {
		t.Fatalf("way = %s, want %s, which %s forces", s.Way, forced, wayVar)
	}
	bucket := s.NewBucket(t)
	want := strings.Repeat("blobdock ", 1<<17)
	put(t, s, bucket, "a/key", want)
	if got := get(t, s, bucket, "a/key"); got != want {
		t.Errorf("got %d bytes, want the %d that were put", len(got), len(want))
	}
	if again := Start(t); again != s {
		t.Errorf("second Start = %+v, want the same server %+v", again, s)
	}
}

// Without Run the server lives as long as a test uses it, and comes back for
// the next.
func TestPoolWithoutRun(t *testing.T) {
	t.Setenv("BLOBDOCK_S3_ENDPOINT", "")
	p := pool[S3]{find: findS3}
	for range 2 {
		p.enter()
		s, err := p.get(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := s.ping(t.Context()); err != nil {
			t.Error(err)
		}
		if err := p.leave(); err != nil {
			t.Error(err)
		}
		if s.ping(t.Context()) == nil {
			t.Error("the server answers after its last user left")
		}
	}
}

// Native has to work also where Docker is there and comes first.
func TestNative(t *testing.T) {
	srv, err := launch(t.Context(), minio(), []string{Native})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.close(); err != nil {
			t.Error(err)
		}
	})
	s := minioS3(srv.endpoint, srv.way)
	bucket := s.NewBucket(t)
	put(t, s, bucket, "key", "body")
	if got := get(t, s, bucket, "key"); got != "body" {
		t.Errorf("got %q, want %q", got, "body")
	}
}

func TestStopAndRestart(t *testing.T) {
	m := NewMinIO(t)
	bucket := m.NewBucket(t)
	put(t, m.S3, bucket, "key", "body")

	m.Stop(t)
	if err := m.ping(t.Context()); err == nil {
		t.Fatal("the server answers after Stop")
	}
	m.Stop(t) // a second time is fine

	m.Restart(t)
	if got := get(t, m.S3, bucket, "key"); got != "body" {
		t.Errorf("after a restart got %q, want %q", got, "body")
	}
	m.Restart(t) // also while it runs
	if got := get(t, m.S3, bucket, "key"); got != "body" {
		t.Errorf("after a second restart got %q, want %q", got, "body")
	}
}

func TestEncryption(t *testing.T) {
	s := NewMinIO(t).S3
	bucket := s.NewBucket(t)
	out, err := sdk(s).PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: &bucket, Key: aws.String("key"), Body: strings.NewReader("body"),
		ServerSideEncryption: "aws:kms", SSEKMSKeyId: &s.KMSKey,
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := aws.ToString(out.SSEKMSKeyId); !strings.HasSuffix(got, s.KMSKey) {
		t.Errorf("encrypted under %q, want %q", got, s.KMSKey)
	}
	if got := get(t, s, bucket, "key"); got != "body" {
		t.Errorf("got %q, want %q", got, "body")
	}
}

func TestLoopbackOnly(t *testing.T) {
	addr, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(NewMinIO(t).Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addr {
		ip, _, err := net.ParseCIDR(a.String())
		if err != nil || ip.IsLoopback() || ip.To4() == nil {
			continue
		}
		conn, err := net.Dial("tcp", net.JoinHostPort(ip.String(), u.Port()))
		if err == nil {
			conn.Close()
			t.Errorf("the server listens on %s, beyond the loopback", ip)
		}
	}
}

func TestEnvironment(t *testing.T) {
	own := Start(t)
	t.Setenv(wayVar, "")
	t.Setenv("BLOBDOCK_S3_ENDPOINT", own.Endpoint)
	t.Setenv("BLOBDOCK_S3_ACCESS_KEY", own.AccessKey)
	t.Setenv("BLOBDOCK_S3_SECRET_KEY", own.SecretKey)

	s, ok, err := environmentS3(t.Context())
	if err != nil || !ok {
		t.Fatalf("environmentS3 = %v, %v", ok, err)
	}
	if s.Endpoint != own.Endpoint || s.Way != Environment {
		t.Errorf("got %+v, want the server at %s", s, own.Endpoint)
	}

	t.Setenv("BLOBDOCK_S3_SECRET_KEY", "wrong")
	if _, _, err = environmentS3(t.Context()); err == nil || !strings.Contains(err.Error(), "BLOBDOCK_S3_ENDPOINT") {
		t.Errorf("with a wrong secret: %v, want an error that names the variable", err)
	}

	t.Setenv(wayVar, Native)
	if _, ok, err := environmentS3(t.Context()); ok || err != nil {
		t.Errorf("with %s=%s: %v, %v, want the forced way to win", wayVar, Native, ok, err)
	}
}

func TestWays(t *testing.T) {
	tests := []struct{ env, want string }{
		{"", "docker native"},
		{"docker", "docker"},
		{"native", "native"},
	}
	for _, tt := range tests {
		t.Setenv(wayVar, tt.env)
		got, err := ways()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s=%q: got %q, want %q", wayVar, tt.env, got, tt.want)
		}
	}
	t.Setenv(wayVar, "dokcer")
	if _, err := ways(); err == nil || !strings.Contains(err.Error(), "dokcer") {
		t.Errorf("misspelt: %v, want an error that names it", err)
	}
}

// A failure has to say what to do.
func TestLaunchAdvises(t *testing.T) {
	broken := minio()
	broken.build = func(context.Context, platform) (program, error) {
		return program{path: "/nonexistent/minio"}, nil
	}
	_, err := launch(t.Context(), broken, []string{Native})
	if err == nil || !strings.Contains(err.Error(), "go run ./integration/emulator/provision") {
		t.Errorf("got %v, want advice", err)
	}
}

func TestLaunchShowsOutput(t *testing.T) {
	broken := minio()
	broken.args = func(string, string) []string { return []string{"no-such-command"} }
	_, err := launch(t.Context(), broken, []string{Native})
	if err == nil || !strings.Contains(err.Error(), "ended by itself") {
		t.Errorf("got %v, want word that it ended, and its output", err)
	}
}

// testcontainers only exports its reaper's image as deprecated.
func TestReaperImage(t *testing.T) {
	//nolint:staticcheck // what replaces it is internal
	if want := testcontainers.ReaperDefaultImage; reaperImage != want {
		t.Errorf("reaperImage = %q, want testcontainers' own, %q", reaperImage, want)
	}
}

func TestPinnedVersion(t *testing.T) {
	b, err := os.ReadFile("minio/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if want := "github.com/minio/minio " + minioVersion; !bytes.Contains(b, []byte(want)) {
		t.Errorf("minio/go.mod doesn't pin %s", want)
	}
}
