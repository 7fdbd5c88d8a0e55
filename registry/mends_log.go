package registry

import (
	"io"
	"net/http"
	"regexp"

	"github.com/distribution/distribution/v3/registry/api/errcode"
	"github.com/sirupsen/logrus"
)

// quietUnknown is a hook of distribution's log. A client asks by HEAD whether it must push
// a blob or a manifest, and by GET of a digest's tag whether the manifest has signatures, so
// that BLOB_UNKNOWN and MANIFEST_UNKNOWN are the answer to a question. They are logged as
// info, or not at all where info is not.
type quietUnknown struct{}

// Levels implements logrus.Hook.
func (quietUnknown) Levels() []logrus.Level { return []logrus.Level{logrus.ErrorLevel} }

// nowhere is a logger that writes nothing.
var nowhere = &logrus.Logger{Out: io.Discard, Formatter: new(logrus.TextFormatter)}

// digestTag matches the tags that have a manifest's digest in their name: that of the index of
// its referrers, and cosign's, which end in .sig, .att and .sbom.
// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema
var digestTag = regexp.MustCompile(`^sha(256|512)-[0-9a-f]{64}(\.[a-z]+)?$`)

// Fire implements logrus.Hook.
func (quietUnknown) Fire(entry *logrus.Entry) error {
	code := entry.Data["err.code"]
	if code != errcode.ErrorCodeBlobUnknown && code != errcode.ErrorCodeManifestUnknown {
		return nil
	}
	if tag, _ := entry.Data["vars.reference"].(string); entry.Data["http.request.method"] != http.MethodHead && !digestTag.MatchString(tag) {
		return nil
	}
	entry.Level = logrus.InfoLevel
	if !entry.Logger.IsLevelEnabled(entry.Level) {
		entry.Logger = nowhere
	}
	return nil
}
