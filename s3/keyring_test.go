package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/retry"
	"github.com/blobdock/blobdock/internal/cloud"
)

// roleService is an STS whose n-th credentials have the key id ROLEn and live that long.
func roleService(t *testing.T, life func(n int64) time.Duration) (edit func(*Config), calls *atomic.Int64) {
	calls = new(atomic.Int64)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := calls.Add(1)
		_ = r.ParseForm()
		if got := r.PostForm.Get("DurationSeconds"); got != "7200" {
			t.Errorf("STS is asked for %s seconds", got)
		}
		_, _ = fmt.Fprintf(w, `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ROLE%d</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>%s</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`,
			n, time.Now().Add(life(n)).UTC().Format(time.RFC3339Nano))
	}))
	t.Cleanup(srv.Close)
	return func(c *Config) {
		c.SessionToken, c.RoleARN, c.STSEndpoint, c.RoleDuration = "", "arn:aws:iam::123456789012:role/r", srv.URL, 2*time.Hour
	}, calls
}

// TestSignOutlivesCredentials signs for longer than the credentials that are held work.
func TestSignOutlivesCredentials(t *testing.T) {
	life := func(n int64) time.Duration { return time.Duration(n) * 8 * time.Minute }
	role, calls := roleService(t, life)
	b, _ := fakeStore(t, answers, role)
	sign := func(expires time.Duration) driver.SignedURL {
		t.Helper()
		u, err := b.features.Sign(t.Context(), driver.SignRequest{Method: "GET", Key: "k", Expires: expires})
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	if u := sign(10 * time.Minute); !strings.Contains(u.URL, "ROLE1") || calls.Load() != 1 {
		t.Errorf("%s after %d calls: half of 10m is less than 8m", u, calls.Load())
	}
	b.keys.held.fetched = time.Now().Add(-fetchInterval)
	if u := sign(20 * time.Minute); !strings.Contains(u.URL, "ROLE2") || time.Until(u.Expires) < 15*time.Minute {
		t.Errorf("%s, which works until %v, is not signed by newer credentials", u, u.Expires)
	}
	// What is had does not last as long; it is not asked for with every URL.
	for range 5 {
		sign(40 * time.Minute)
	}
	if calls.Load() != 2 {
		t.Errorf("STS was asked %d times, want 2", calls.Load())
	}
}

// TestRefusedCredentials are renewed, and the request is repeated by the wrapper that
// repeats what is safe to repeat.
func TestRefusedCredentials(t *testing.T) {
	for _, tt := range []struct {
		status int
		code   string
	}{{400, "ExpiredToken"}, {403, "InvalidAccessKeyId"}, {403, "AccessDenied"}, {403, "SignatureDoesNotMatch"}} {
		role, calls := roleService(t, func(int64) time.Duration { return time.Hour })
		b, f := fakeStore(t, func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.Header.Get("Authorization"), "ROLE1/") {
				reject(tt.status, tt.code, "")(w, r)
				return
			}
			answers(w, r)
		}, role)
		if _, err := b.keys.Retrieve(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.keys.held.fetched = time.Now().Add(-fetchInterval)
		rb := retry.Wrap(b, retry.Policy{Base: time.Millisecond})
		_, err := rb.Put(t.Context(), "key", section("x"), driver.WriteOptions{})
		if err != nil || calls.Load() != 2 || len(f.take()) != 2 {
			t.Errorf("%s: %v; STS was asked %d times", tt.code, err, calls.Load())
		}
	}
}

// TestRefusedForGood has a store that refuses all credentials. They are not fetched with
// each request, and the error says what it is.
func TestRefusedForGood(t *testing.T) {
	role, calls := roleService(t, func(int64) time.Duration { return time.Hour })
	b, _ := fakeStore(t, reject(403, "AccessDenied", ""), role)
	rb := retry.Wrap(b, retry.Policy{Base: time.Millisecond})
	for range 5 {
		if _, err := rb.Put(t.Context(), "key", section("x"), driver.WriteOptions{}); !errors.Is(err, driver.Denied) || !strings.Contains(err.Error(), "permission") {
			t.Errorf("got %v", err)
		}
	}
	if calls.Load() != 1 {
		t.Errorf("STS was asked %d times, want once", calls.Load())
	}
}

// TestRotatedFile replaces the file that holds the keys, as a mounted secret is.
func TestRotatedFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "credentials")
	valid := "OLDKEY"
	write := func(id string) {
		if err := os.WriteFile(file, []byte("[default]\naws_access_key_id = "+id+"\naws_secret_access_key = x\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(valid)
	b, _ := fakeStore(t, func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Authorization"), valid+"/") {
			reject(403, "InvalidAccessKeyId", "")(w, r)
			return
		}
		answers(w, r)
	}, func(c *Config) {
		c.AccessKeyID, c.SecretAccessKey, c.SessionToken, c.CredentialsFile = "", "", "", file
	})
	rb := retry.Wrap(b, retry.Policy{Base: time.Millisecond})
	put := func() error {
		_, err := rb.Put(t.Context(), "key", section("x"), driver.WriteOptions{})
		return err
	}
	if err := put(); err != nil {
		t.Fatal(err)
	}
	// One rotation follows the other sooner than credentials are fetched otherwise.
	for _, valid = range []string{"NEWKEY", "NEWER", "NEWEST"} {
		write(valid)
		if err := put(); err != nil {
			t.Errorf("after rotation to %s: %v", valid, err)
		}
	}
}

// TestRotatedBeforeFirstUse replaces the file between Open and the first request.
func TestRotatedBeforeFirstUse(t *testing.T) {
	file := filepath.Join(t.TempDir(), "credentials")
	write := func(id string) {
		if err := os.WriteFile(file, []byte("[default]\naws_access_key_id = "+id+"\naws_secret_access_key = x\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, edit := range map[string]func(*Config){
		"credentials_file": func(c *Config) { c.CredentialsFile = file },
		"environment":      func(*Config) { t.Setenv("AWS_SHARED_CREDENTIALS_FILE", file) },
	} {
		write("OLD")
		b, _ := fakeStore(t, answers, func(c *Config) {
			c.AccessKeyID, c.SecretAccessKey, c.SessionToken = "", "", ""
			edit(c)
		})
		for _, want := range []string{"NEWER", "NEWEST"} {
			write(want)
			b.keys.files.ChangedNow() // within the interval in which the files are not looked at again
			if got, err := b.keys.Retrieve(t.Context()); err != nil || got.AccessKeyID != want && !b.keys.renewed(t.Context(), b.keys.get().generation) {
				t.Errorf("%s: got %s, %v, want %s", name, got.AccessKeyID, err, want)
			}
			if got, err := b.keys.Retrieve(t.Context()); err != nil || got.AccessKeyID != want {
				t.Errorf("%s: got %s, %v, want %s", name, got.AccessKeyID, err, want)
			}
		}
	}
}

// TestRefusedWhileOthersFetch has a request refused whose credentials another one has begun
// to replace.
func TestRefusedWhileOthersFetch(t *testing.T) {
	file := filepath.Join(t.TempDir(), "credentials")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("one")
	began, end := make(chan struct{}, 1), make(chan struct{})
	n := 0 // fetches, one after the other
	k := &keyring{files: cloud.NewFiles(file), fetch: func(context.Context) (aws.Credentials, error) {
		if n++; n > 1 {
			began <- struct{}{}
			<-end
		}
		return aws.Credentials{AccessKeyID: fmt.Sprint(n), SecretAccessKey: "s"}, nil
	}}
	if _, err := k.Retrieve(t.Context()); err != nil {
		t.Fatal(err)
	}
	refused := k.get().generation
	write("three")
	renewed := make(chan bool, 2)
	ask := func() { renewed <- k.renewed(t.Context(), refused) }
	go ask()
	<-began
	go ask()
	time.Sleep(50 * time.Millisecond) // it does not answer before the fetch has ended
	close(end)
	for range 2 {
		if !<-renewed || n != 2 {
			t.Errorf("the credentials have not been renewed, after %d fetches", n)
		}
	}
}

// TestSignAfterRotation signs by the keys of a file that was replaced, without a request
// that the store could refuse.
func TestSignAfterRotation(t *testing.T) {
	file := filepath.Join(t.TempDir(), "credentials")
	write := func(id string) {
		if err := os.WriteFile(file, []byte("[default]\naws_access_key_id = "+id+"\naws_secret_access_key = x\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("OLD")
	b, _ := fakeStore(t, answers, func(c *Config) {
		c.AccessKeyID, c.SecretAccessKey, c.SessionToken, c.CredentialsFile = "", "", "", file
	})
	sign := func() string {
		u, err := b.features.Sign(t.Context(), driver.SignRequest{Method: "GET", Key: "k", Expires: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		return u.URL
	}
	if got := sign(); !strings.Contains(got, "Credential=OLD") {
		t.Errorf("signed by other keys: %s", driver.RedactURL(got))
	}
	write("NEWER")
	time.Sleep(1100 * time.Millisecond) // files are looked at once a second
	if got := sign(); !strings.Contains(got, "Credential=NEWER") {
		t.Error("signed by the old keys")
	}
}

// TestFetchFails keeps credentials that still work while others can't be had.
func TestFetchFails(t *testing.T) {
	broken := errors.New("the service is away")
	end := time.Now().Add(time.Minute)
	n := 0
	k := &keyring{fetch: func(context.Context) (aws.Credentials, error) {
		if n++; n > 1 {
			return aws.Credentials{}, broken
		}
		return aws.Credentials{AccessKeyID: "a", SecretAccessKey: "b", CanExpire: true, Expires: end}, nil
	}}
	for range 2 {
		if got, err := k.Retrieve(t.Context()); err != nil || got.AccessKeyID != "a" {
			t.Errorf("got %s and %v", got.AccessKeyID, err)
		}
		k.held.fetched = time.Now().Add(-fetchInterval)
	}
	k.held.Expires = time.Now().Add(-time.Second)
	if _, err := k.Retrieve(t.Context()); !errors.Is(err, broken) {
		t.Errorf("with ended credentials: got %v", err)
	}
}

// TestSignByStoresClock signs as of the store's time, once a reply has told it: a URL
// signed by a clock that is 20 minutes ahead is refused.
func TestSignByStoresClock(t *testing.T) {
	off := -20 * time.Minute
	b, _ := fakeStore(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", time.Now().Add(off).UTC().Format(http.TimeFormat))
		answers(w, r)
	})
	if _, err := b.Put(t.Context(), "key", section("x"), driver.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	u, err := b.features.Sign(t.Context(), driver.SignRequest{Method: "GET", Key: "k", Expires: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	req, _ := http.NewRequest(http.MethodGet, u.URL, nil)
	signed, err := time.Parse("20060102T150405Z", req.URL.Query().Get("X-Amz-Date"))
	if err != nil || time.Until(signed).Round(time.Minute) != off {
		t.Errorf("signed as of %v (%v), want %v off", signed, err, off)
	}
}

func TestContradictions(t *testing.T) {
	base := Config{Bucket: "b", Region: "us-east-1"}
	for _, tt := range []struct {
		edit func(*Config)
		want []string
	}{
		{func(c *Config) { c.Endpoint, c.FIPS = "https://s3.us-east-1.amazonaws.com", true }, []string{"endpoint", "fips"}},
		{func(c *Config) { c.Endpoint, c.DualStack = "https://s3.us-east-1.amazonaws.com", true }, []string{"endpoint", "dual_stack"}},
		{func(c *Config) { c.Endpoint, c.Accelerate = "https://s3.us-east-1.amazonaws.com", true }, []string{"endpoint", "accelerate"}},
		{func(c *Config) { c.Accelerate, c.FIPS = true, true }, []string{"accelerate", "fips"}},
		{func(c *Config) { c.Accelerate, c.PathStyle = true, new(true) }, []string{"accelerate", "path_style"}},
	} {
		c := base
		tt.edit(&c)
		_, err := Open(t.Context(), c)
		if !errors.Is(err, driver.Invalid) {
			t.Errorf("%v: got %v", tt.want, err)
			continue
		}
		for _, name := range tt.want {
			if !strings.Contains(err.Error(), name) {
				t.Errorf("%v is not named: %v", name, err)
			}
		}
	}
	for _, edit := range []func(*Config){func(c *Config) { c.FIPS, c.DualStack = true, true }, func(c *Config) { c.Accelerate, c.DualStack = true, true }} {
		c := base
		edit(&c)
		if _, err := Open(t.Context(), c); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
