package registry

import (
	"io"
	"net/http"

	"github.com/distribution/distribution/v3/registry/api/errcode"
	"github.com/sirupsen/logrus"
)

// quietUnknown is a hook of distribution's log. A client asks by HEAD whether it must push
// a blob or a manifest, so that BLOB_UNKNOWN and MANIFEST_UNKNOWN are the answer to a
// question. They are logged as info, or not at all where info is not.
type quietUnknown struct{}

// Levels implements logrus.Hook.
func (quietUnknown) Levels() []logrus.Level { return []logrus.Level{logrus.ErrorLevel} }

// nowhere is a logger that writes nothing.
var nowhere = &logrus.Logger{Out: io.Discard, Formatter: new(logrus.TextFormatter)}

// Fire implements logrus.Hook.
func (quietUnknown) Fire(entry *logrus.Entry) error {
	code := entry.Data["err.code"]
	if entry.Data["http.request.method"] != http.MethodHead || code != errcode.ErrorCodeBlobUnknown && code != errcode.ErrorCodeManifestUnknown {
		return nil
	}
	entry.Level = logrus.InfoLevel
	if !entry.Logger.IsLevelEnabled(entry.Level) {
		entry.Logger = nowhere
	}
	return nil
}
