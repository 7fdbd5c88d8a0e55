package s3

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/blobdock/blobdock/driver"
)

// The instance metadata service is asked by version 2 only: version 1 has no
// token, and answers whoever gets the host to send a request.
func TestMetadataService(t *testing.T) {
	var hasTokens bool
	var withoutToken atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPut && hasTokens:
			w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "600")
			_, _ = io.WriteString(w, "tok")
		case r.Method == http.MethodPut:
			w.WriteHeader(http.StatusNotFound)
		case r.Header.Get("X-Aws-Ec2-Metadata-Token") != "tok":
			withoutToken.Add(1)
			w.WriteHeader(http.StatusUnauthorized)
		case strings.HasSuffix(r.URL.Path, "/iam/security-credentials/"):
			_, _ = io.WriteString(w, "role")
		default:
			_, _ = io.WriteString(w, `{"Code":"Success","AccessKeyId":"FROMIMDS","SecretAccessKey":"x","Token":"y","Expiration":"2100-01-01T00:00:00Z"}`)
		}
	}))
	defer srv.Close()
	t.Setenv("AWS_EC2_METADATA_DISABLED", "false")
	t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", srv.URL)
	chain := func(c *Config) { c.AccessKeyID, c.SecretAccessKey, c.SessionToken = "", "", "" }

	b, _ := fakeStore(t, answers, chain)
	if err := put(free)(t.Context(), b); !errors.Is(err, driver.Denied) {
		t.Errorf("service without tokens: got %v", err)
	}
	hasTokens = true
	b, f := fakeStore(t, answers, chain)
	if err := put(free)(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if got := f.take()[0].header.Get("Authorization"); !strings.Contains(got, "Credential=FROMIMDS/") {
		t.Errorf("signed by %q", got)
	}
	if n := withoutToken.Load(); n != 0 {
		t.Errorf("%d requests came without a token", n)
	}
}

func TestNoCredentials(t *testing.T) {
	c := testConfig("http://127.0.0.1:1")
	c.AccessKeyID, c.SecretAccessKey, c.SessionToken = "", "", ""
	b := openTest(t, c)
	err := put(free)(t.Context(), b)
	if !errors.Is(err, driver.Denied) || !errors.Is(err, fs.ErrPermission) || driver.OutcomeUnknown(err) || !strings.Contains(err.Error(), "no credentials") {
		t.Errorf("got %v", err)
	}
	_, err = b.features.Sign(t.Context(), driver.SignRequest{Method: "GET", Key: "key", Expires: time.Minute})
	if !errors.Is(err, driver.Denied) {
		t.Errorf("Sign: got %v", err)
	}
}

// The role's service is asked for credentials, and its faults tell what they are.
func TestAssumeRole(t *testing.T) {
	status := http.StatusOK
	sts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		if r.Form.Get("Action") != "AssumeRole" || r.Form.Get("RoleArn") != "arn:aws:iam::1:role/r" || r.Form.Get("ExternalId") != "ext" {
			t.Errorf("STS was asked for %v", r.Form)
		}
		if status != http.StatusOK {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, `<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>`)
			return
		}
		_, _ = io.WriteString(w, `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ROLEKEY</AccessKeyId><SecretAccessKey>x</SecretAccessKey><SessionToken>y</SessionToken><Expiration>`+
			time.Now().Add(20*time.Minute).UTC().Format(time.RFC3339)+`</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`)
	}))
	defer sts.Close()
	role := func(c *Config) { c.RoleARN, c.ExternalID, c.STSEndpoint = "arn:aws:iam::1:role/r", "ext", sts.URL }

	b, f := fakeStore(t, answers, role)
	if err := put(free)(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if got := f.take()[0].header.Get("Authorization"); !strings.Contains(got, "Credential=ROLEKEY/") {
		t.Errorf("signed by %q", got)
	}
	status = http.StatusForbidden
	b, _ = fakeStore(t, answers, role)
	err := put(free)(t.Context(), b)
	if !errors.Is(err, driver.Denied) {
		t.Errorf("role refused: got %v", err)
	}
	noSecrets(t, err)
}

func TestCredentialsFile(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "FROMENV")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "x")
	file := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(file, []byte("[default]\naws_access_key_id=FROMFILE\naws_secret_access_key=x\n[other]\naws_access_key_id=OTHER\naws_secret_access_key=x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ file, profile, want string }{
		{"", "", "FROMENV"}, {file, "", "FROMFILE"}, {file, "other", "OTHER"},
	} {
		b, f := fakeStore(t, answers, func(c *Config) {
			c.AccessKeyID, c.SecretAccessKey, c.SessionToken = "", "", ""
			c.CredentialsFile, c.AWSProfile = tt.file, tt.profile
		})
		if err := put(free)(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		if got := f.take()[0].header.Get("Authorization"); !strings.Contains(got, "Credential="+tt.want+"/") {
			t.Errorf("%q section %q: signed by %q, want %s", tt.file, tt.profile, got, tt.want)
		}
	}
}

// TestUntidyCredentials takes credentials with what files and variables leave at their ends.
func TestUntidyCredentials(t *testing.T) {
	const secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	file := func(text string) string {
		path := filepath.Join(t.TempDir(), "credentials")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, tt := range map[string]struct {
		env  map[string]string
		file string
		want string // in the error; "" is none
	}{
		"variables with newlines":     {env: map[string]string{"AWS_ACCESS_KEY_ID": "AKID\n", "AWS_SECRET_ACCESS_KEY": secret + "\r\n"}},
		"variables in quotes":         {env: map[string]string{"AWS_ACCESS_KEY_ID": "'AKID'", "AWS_SECRET_ACCESS_KEY": `"` + secret + `"`}},
		"variables with marks":        {env: map[string]string{"AWS_ACCESS_KEY_ID": "\ufeffAKID", "AWS_SECRET_ACCESS_KEY": "\ufeff" + secret}},
		"a file with quotes":          {file: file("[default]\r\naws_access_key_id = 'AKID'\r\naws_secret_access_key = \"" + secret + "\"\r\n")},
		"a file with a mark":          {file: file("\ufeff[default]\naws_access_key_id=AKID\naws_secret_access_key=" + secret + "\n"), want: "byte order mark"},
		"a file of UTF-16":            {file: file("\xff\xfe[\x00d\x00"), want: "byte order mark"},
		"a file of the SDK's, marked": {env: map[string]string{"AWS_SHARED_CREDENTIALS_FILE": file("\ufeff[default]\naws_access_key_id=AKID\naws_secret_access_key=x\n")}, want: "byte order mark"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("AWS_ACCESS_KEY_ID", "")
			t.Setenv("AWS_SECRET_ACCESS_KEY", "")
			for k, v := range tt.env {
				t.Setenv(k, v)
			}
			c := Config{Bucket: "b", Region: "r", CredentialsFile: tt.file}
			b, err := Open(t.Context(), c)
			if err == nil {
				got, rerr := b.keys.Retrieve(t.Context())
				if err = rerr; err == nil && (got.AccessKeyID != "AKID" || got.SecretAccessKey != secret) {
					t.Errorf("got %q and %q", got.AccessKeyID, got.SecretAccessKey)
				}
			}
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}
