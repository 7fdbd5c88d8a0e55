package main

import (
	"io"
	"regexp"
)

// Where a URL has secrets: who asks, and the signature of a request. Rather too much of a text
// is taken for one than too little.
var (
	userinfo = regexp.MustCompile(`://[^/\s"'?#]*@`)
	query    = regexp.MustCompile(`(://[^\s"'?]*)\?[^\s"'#]*?(:?(?:[\s"'#]|$))`) // a : behind it is the text's
)

// redact is a text without the secrets of the URLs in it.
func redact(text string) string {
	return query.ReplaceAllString(userinfo.ReplaceAllString(text, "://...@"), "$1?...$2")
}

// redacting writes lines without the secrets of the URLs in them.
type redacting struct{ io.Writer }

func (r redacting) Write(p []byte) (int, error) {
	_, err := io.WriteString(r.Writer, redact(string(p)))
	return len(p), err
}
