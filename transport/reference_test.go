package transport_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"go.podman.io/image/v5/transports"
	"go.podman.io/image/v5/types"

	_ "github.com/blobdock/blobdock/azure"
	"github.com/blobdock/blobdock/driver"
	_ "github.com/blobdock/blobdock/gcs"
	_ "github.com/blobdock/blobdock/s3"
	"github.com/blobdock/blobdock/transport"
)

var (
	_ types.ImageTransport   = transport.Transport
	_ types.ImageReference   = transport.Reference{}
	_ types.ImageSource      = (*transport.Source)(nil)
	_ types.ImageDestination = (*transport.Destination)(nil)
)

const someDigest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func TestParseReference(t *testing.T) {
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	for s, wants := range map[string][2]string{
		"s3://bucket/prefix?region=eu-west-1#app:v1":       {"bucket:s3://bucket/prefix?...#app:v1", "s3://bucket/prefix#app:v1"},
		"s3://bucket/?region=eu-west-1#team/my-app:1.0_rc": {"bucket:s3://bucket/?...#team/my-app:1.0_rc", "s3://bucket#team/my-app:1.0_rc"},
		"gs://bucket#docker.io/library/alpine:3":           {"bucket:gs://bucket#docker.io/library/alpine:3", "gs://bucket#docker.io/library/alpine:3"},
		"azblob://container/a/b?account=mine#app@" + someDigest: {
			"bucket:azblob://container/a/b?...#app@" + someDigest, "azblob://container/a/b#app@" + someDigest,
		},
		"file:///srv/a%23b#app:v1": {"bucket:file:///srv/a%23b#app:v1", "file:///srv/a%23b#app:v1"},
	} {
		ref, err := transports.Get("bucket").ParseReference(s)
		if err != nil {
			t.Errorf("%s: %v", s, err)
			continue
		}
		if got := ref.StringWithinTransport(); got != s {
			t.Errorf("%s within the transport is %s", s, got)
		}
		if got := ref.(transport.Reference).String(); got != wants[0] {
			t.Errorf("%s reads %s, want %s", s, got, wants[0])
		}
		if got := ref.PolicyConfigurationIdentity(); got != wants[1] {
			t.Errorf("%s is %s in a policy, want %s", s, got, wants[1])
		}
		if ref.DockerReference() != nil {
			t.Errorf("%s is said to be of a registry's host", s)
		}
	}
}

func TestParseReferenceRefuses(t *testing.T) {
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	for s, want := range map[string]string{
		"s3://bucket?region=r":                         "want #repository:tag",
		"s3://bucket?region=r#":                        "repository \"\"",
		"s3://bucket?region=r#app":                     "there is no default tag",
		"s3://bucket?region=r#app:":                    "tag \"\"",
		"s3://bucket?region=r#app:.x":                  "tag \".x\"",
		"s3://bucket?region=r#App:v1":                  "repository \"App\"",
		"s3://bucket?region=r#host:5000/app:v1":        "tag \"5000/app:v1\"",
		"s3://bucket?region=r#app:v1@" + someDigest:    "not both",
		"s3://bucket?region=r#app@sha256:abc":          "digest",
		"s3://bucket?region=r&colour=secretword#app:v": "colour",
		"s3://key:secretword@bucket?region=r#app:v":    "credentials don't belong into a URL",
		"ftp://bucket#app:v1":                          "unknown scheme",
		"app:v1":                                       "unknown scheme",
		"":                                             "unknown scheme",
	} {
		ref, err := transports.Get("bucket").ParseReference(s)
		if ref != nil || !errors.Is(err, driver.Invalid) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secretword") {
			t.Errorf("%s: %v and %v, want %q", s, ref, err, want)
		}
	}
}

// TestPolicyScopes holds what a reference is looked up by to what a policy may name.
func TestPolicyScopes(t *testing.T) {
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	ref := parse(t, "bucket:s3://bucket/a/b/?region=r#team/app:v1")
	want := []string{"s3://bucket/a/b#team/app", "s3://bucket/a/b#team", "s3://bucket/a/b", "s3://bucket/a", "s3://bucket"}
	if got := ref.PolicyConfigurationNamespaces(); !slices.Equal(got, want) {
		t.Errorf("namespaces %q, want %q", got, want)
	}
	file := parse(t, "bucket:file:///srv/registry#app:v1")
	scopes := slices.Concat(want, file.PolicyConfigurationNamespaces(), []string{ref.PolicyConfigurationIdentity(), file.PolicyConfigurationIdentity(), "gs://b#app@" + someDigest})
	for _, scope := range scopes {
		if err := transport.Transport.ValidatePolicyConfigurationScope(scope); err != nil {
			t.Errorf("%s: %v", scope, err)
		}
	}
	for _, scope := range []string{"bucket", "s3://bucket?region=r", "s3://bucket/", "s3://bucket#App", "s3://u:p@bucket", "s3://bucket#app:"} {
		if err := transport.Transport.ValidatePolicyConfigurationScope(scope); !errors.Is(err, driver.Invalid) {
			t.Errorf("%s: %v", scope, err)
		}
	}
}
