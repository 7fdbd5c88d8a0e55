package integration_test

import (
	"bytes"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"
	"github.com/aws/aws-sdk-go-v2/aws"
	awscreds "github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/blobdock/blobdock/integration/emulator"
)

// login is a way for the program to be let into a store, and what must stay between
// the two.
type login struct {
	env     []string
	secrets []string
	signs   string // what signed URLs have in their query; "" where it can't sign
}

// TestNoSecretShows pushes, pulls and fails at every store, with all on that tells of
// it: the log at its most talkative, every trace, the metrics, the errors that clients
// get. None of it has a credential, or a signature that works as one.
func TestNoSecretShows(t *testing.T) {
	t.Parallel()
	onAll(t, storesWith(t, unhurried()), func(t *testing.T, _ store, direct cloud) {
		bucket := direct.newBucket(t)
		for name, in := range logins(t, direct, bucket) {
			t.Run(name, func(t *testing.T) { tells(t, direct, bucket, in) })
		}
	})
}

func tells(t *testing.T, direct cloud, bucket string, in login) {
	t.Helper()
	c, proxy := direct.through(t)
	o := observing(t, append(in.env, "OTEL_TRACES_EXPORTER=console"), c.bare(bucket)+smallParts+"&retry_total=100ms")
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log:\n%.20000s", o.stderr.String())
		}
	})
	var said bytes.Buffer // to clients, and on the debug address
	hear := func(r reply) reply {
		_ = r.Header.Write(&said)
		said.WriteString(r.body)
		return r
	}
	blob := content{64 * kib, 1}
	push(t, o.url, "secrets", blob, 0)
	push(t, o.url, "secrets", content{12 * mib, 2}, 4*mib)
	at := o.url + "/v2/secrets/blobs/" + blob.digest().String()
	res := do(t, http.MethodGet, at, nil, nil)
	if in.signs == "" {
		hear(res).want(t, http.StatusOK)
	} else { // what it answers is for the client alone
		to, err := url.Parse(res.want(t, http.StatusTemporaryRedirect).location())
		if err != nil {
			t.Fatal(err)
		}
		signature := to.Query().Get(in.signs)
		if len(signature) < 20 {
			t.Fatalf("redirect to %s, want one with a signature", to)
		}
		in.secrets = append(in.secrets, signature, url.QueryEscape(signature))
	}
	// All that can go wrong: what is not there, a store that refuses, one that is out
	// of order, one that breaks off, one that is gone.
	hear(do(t, http.MethodGet, o.url+"/v2/secrets/blobs/"+content{9, 9}.digest().String(), nil, nil).want(t, http.StatusNotFound))
	for _, broken := range []func(w http.ResponseWriter){
		func(w http.ResponseWriter) { w.WriteHeader(http.StatusForbidden) },
		func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadRequest) },
		func(w http.ResponseWriter) { w.WriteHeader(http.StatusInternalServerError) },
		func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
	} {
		var asked atomic.Int64
		proxy.Intercept(func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { asked.Add(1); broken(w) })
		failsOnAll(t, o, hear)
		if asked.Load() == 0 {
			t.Error("the store was not asked")
		}
	}
	proxy.Close()
	failsOnAll(t, o, hear)
	hear(do(t, http.MethodGet, o.debug+"/readyz", nil, nil))
	hear(do(t, http.MethodGet, o.debug+"/debug/health", nil, nil))
	hear(do(t, http.MethodGet, o.debug+"/metrics", nil, nil).want(t, http.StatusOK))
	o.interrupt(t)
	if code := o.code(t, 30*time.Second); code != 0 {
		t.Errorf("exit code %d\n%s", code, o.stderr.String())
	}

	out, log := o.stdout.String(), o.stderr.String()
	for _, want := range []struct{ in, what, text string }{
		{out, "traces", `"store put"`}, {out, "traces", `"blob commit"`}, {out, "traces", `"error.type"`},
		{log, "log", `"blob served"`}, {log, "log", `"level":"error"`}, {said.String(), "metrics", "blobdock_storage_requests_total"},
	} {
		if !strings.Contains(want.in, want.text) {
			t.Fatalf("the %s have no %s:\n%.5000s", want.what, want.text, want.in)
		}
	}
	for what, text := range map[string]string{"standard output": out, "log": log, "answers": said.String()} {
		for _, secret := range append(in.secrets, "X-Amz-Signature", "X-Amz-Credential", "X-Amz-Security-Token", "X-Goog-Signature", "sig=", "Bearer ", "AWS4-HMAC", "SharedKey", "PRIVATE KEY") {
			if i := strings.Index(text, secret); i >= 0 {
				t.Errorf("%q in the %s: ...%s...", secret, what, text[max(0, i-300):min(len(text), i+300)])
			}
		}
	}
}

// failsOnAll asks a registry whose store is broken for a bit of everything.
func failsOnAll(t *testing.T, o observed, hear func(reply) reply) {
	t.Helper()
	// An upload begins without the store, and does not end without it.
	small := content{kib, 9}
	at := hear(do(t, http.MethodPost, o.url+"/v2/secrets/blobs/uploads/", nil, nil)).want(t, http.StatusAccepted).location()
	if res := hear(do(t, http.MethodPut, withDigest(at, small.digest()), nil, small.reader())); res.StatusCode < 400 {
		t.Errorf("PUT: %s from a store that is broken", res.Status)
	}
	for _, r := range []struct{ method, path string }{
		{http.MethodHead, "/v2/secrets/blobs/" + content{64 * kib, 1}.digest().String()},
		{http.MethodGet, "/v2/secrets/manifests/latest"},
	} {
		if res := hear(do(t, r.method, o.url+r.path, nil, nil)); res.StatusCode < 400 {
			t.Errorf("%s %s: %s from a store that is broken", r.method, r.path, res.Status)
		}
	}
}

// logins are the ways into a store that hand over something different.
func logins(t *testing.T, c cloud, bucket string) map[string]login {
	t.Helper()
	switch c := c.(type) {
	case s3Cloud:
		ways := map[string]login{"keys": {c.env(t), []string{c.SecretKey}, "X-Amz-Signature"}}
		if !c.lawful { // laws that sign requests anew know the store's own keys alone
			ways["session"] = temporary(t, c.S3)
		}
		return ways
	case gcsCloud:
		env := c.env(t)
		file, err := os.ReadFile(strings.TrimPrefix(env[0], "GOOGLE_APPLICATION_CREDENTIALS="))
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(file), `\n`) // those of the key, in JSON
		return map[string]login{"account": {env, lines[1:3], "X-Goog-Signature"}}
	case azureCloud:
		return map[string]login{"key": {c.env(t), []string{c.Key, url.QueryEscape(c.Key)}, "sig"}, "sas": sharedAccess(t, c, bucket)}
	default:
		t.Fatalf("no logins for %T", c)
		return nil
	}
}

// temporary is credentials that a session token belongs to.
func temporary(t *testing.T, s emulator.S3) login {
	t.Helper()
	client := sts.New(sts.Options{
		BaseEndpoint: aws.String(s.Endpoint), Region: s.Region,
		Credentials: awscreds.NewStaticCredentialsProvider(s.AccessKey, s.SecretKey, ""),
	})
	role, err := client.AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::123456789012:role/any"), RoleSessionName: aws.String("test")})
	if err != nil {
		t.Fatal(err)
	}
	c := role.Credentials
	return login{
		[]string{"AWS_ACCESS_KEY_ID=" + *c.AccessKeyId, "AWS_SECRET_ACCESS_KEY=" + *c.SecretAccessKey, "AWS_SESSION_TOKEN=" + *c.SessionToken},
		[]string{*c.SecretAccessKey, *c.SessionToken, url.QueryEscape(*c.SessionToken)}, "X-Amz-Signature",
	}
}

// sharedAccess is a shared access signature for a container, which is in every URL that
// the store is asked by. One for the account would not do: Azurite answers 500 to Put
// Block From URL with it, since its table of permissions has no row for that.
func sharedAccess(t *testing.T, c azureCloud, container string) login {
	t.Helper()
	key, err := service.NewSharedKeyCredential(c.Account, c.Key)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := sas.BlobSignatureValues{
		Protocol: sas.ProtocolHTTPSandHTTP, StartTime: time.Now().Add(-time.Minute).UTC(), ExpiryTime: time.Now().Add(time.Hour).UTC(), ContainerName: container,
		Permissions: (&sas.ContainerPermissions{Read: true, Add: true, Create: true, Write: true, Delete: true, List: true}).String(),
	}.SignWithSharedKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return login{[]string{"AZURE_STORAGE_SAS_TOKEN=" + signed.Encode()}, []string{signed.Signature(), url.QueryEscape(signed.Signature())}, ""}
}
