package verify

import (
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/blobdock/blobdock/driver"
)

// The report is made of errors that hold no secrets. clean is for the error that does all
// the same, such as what a test of the conformance suite prints.

var links = regexp.MustCompile(`https?://[^\s"'<>|)\\]+`)

// secretVariables hold credentials, or may.
var secretVariables = regexp.MustCompile(`(?i)(secret|token|key|password|credential|connection_string)`)

// leastSecret is the length in bytes from which on a variable's value is taken for a
// secret: a shorter value would be found in plain words.
const leastSecret = 12

// clean takes the queries off all URLs, and the values of the environment's secrets out.
func clean(text string) string {
	text = links.ReplaceAllStringFunc(text, func(u string) string {
		if !strings.Contains(u, "?") && !strings.Contains(u, "@") {
			return u
		}
		return driver.RedactURL(u)
	})
	for _, secret := range secrets() {
		text = strings.ReplaceAll(text, secret, driver.Redacted)
	}
	return text
}

// nameless takes the bucket's name out where a key follows. Google's 429 names both.
// https://cloud.google.com/storage/docs/gcs429
func nameless(text, bucket string) string {
	if bucket == "" {
		return text
	}
	return strings.ReplaceAll(text, bucket+"/", "BUCKET/")
}

// secrets are the values of variables that may hold credentials, the longest first.
func secrets() []string {
	var all []string
	for _, kv := range os.Environ() {
		name, value, _ := strings.Cut(kv, "=")
		if secretVariables.MatchString(name) && len(value) >= leastSecret {
			all = append(all, value)
		}
	}
	slices.SortFunc(all, func(a, b string) int { return len(b) - len(a) })
	return all
}

// longest is the most bytes of one cell or line.
const longest = 700

// oneLine makes one line of text, and cuts it where it gets too long to read.
func oneLine(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > longest {
		text = strings.ToValidUTF8(text[:longest], "") + " ..."
	}
	return text
}
