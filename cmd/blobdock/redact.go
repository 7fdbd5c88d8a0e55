package main

import (
	_ "embed"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v2"

	"github.com/blobdock/blobdock/driver"
)

// printable are the values of a configuration that are no secrets, a pattern of
// path.Match a line. Whatever is not in it is not printed, so that a name that nobody
// thought of, or one of distribution's to come, is taken for a secret.
//
//go:embed printable.txt
var printableText string

var printable = strings.Fields(printableText)

// redactTree is v, a value of yaml.MapSlice and below, without secrets. at is its path:
// names with slashes in between, where items of a list are not told apart.
func redactTree(at string, v any) any {
	switch v := v.(type) {
	case yaml.MapSlice:
		clean := make(yaml.MapSlice, len(v))
		for i, item := range v {
			clean[i] = yaml.MapItem{Key: item.Key, Value: redactTree(path.Join(at, fmt.Sprint(item.Key)), item.Value)}
		}
		return clean
	case []any:
		clean := make([]any, len(v))
		for i, item := range v {
			clean[i] = redactTree(at, item)
		}
		return clean
	case nil, bool:
		return v
	case string:
		return redactText(at, v)
	default:
		if isPrintable(at) {
			return v
		}
		return driver.Redacted
	}
}

func redactText(at, v string) string {
	switch {
	case v == "":
		return v
	case at == "notifications/endpoints/url":
		// Whoever knows the path of a webhook may post to it.
		if u, err := url.Parse(v); err == nil && u.Host != "" {
			return u.Scheme + "://" + u.Host + "/" + driver.Redacted
		}
		return driver.Redacted
	case !isPrintable(at):
		return driver.Redacted
	default:
		return redactURLs(v)
	}
}

// Where a URL, or an address, has secrets. Rather too much of a text is taken for one
// than too little.
var (
	userinfo = regexp.MustCompile(`://\S*@`)
	query    = regexp.MustCompile(`\?\S*=\S*`)
	login    = regexp.MustCompile(`\S+:\S*@`)
)

func redactURLs(text string) string {
	if !strings.Contains(text, "://") {
		return login.ReplaceAllString(text, driver.Redacted+"@")
	}
	return query.ReplaceAllString(userinfo.ReplaceAllString(text, "://"+driver.Redacted+"@"), "?"+driver.Redacted)
}

func isPrintable(at string) bool {
	return slices.ContainsFunc(printable, func(pattern string) bool {
		ok, err := path.Match(pattern, at)
		return ok && err == nil
	})
}
