package azure

import (
	"bytes"
	"context"
	"encoding/xml"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/blobdock/blobdock/driver"
)

// call is one method call: what was asked, and what the transport saw of it.
type call struct {
	op        driver.Op
	key       string
	cond      driver.Cond
	startFrom string // of a listing

	sent   atomic.Bool // bytes of the request may have reached the store
	status int
	header http.Header
	reply  reply
}

// reply is what error documents tell.
type reply struct {
	Code    string
	Message string
}

type callKey struct{}

// begin starts a call; requests under the context report to it.
func begin(ctx context.Context, op driver.Op, key string) (context.Context, *call) {
	c := &call{op: op, key: key}
	return context.WithValue(ctx, callKey{}, c), c
}

func callOf(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

// parse reads an error document; what is none is left alone.
func (c *call) parse(body []byte) {
	c.reply = reply{}
	_ = xml.Unmarshal(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")), &c.reply)
	// What follows the first line is the request's id and the time.
	c.reply.Message, _, _ = strings.Cut(strings.TrimSpace(c.reply.Message), "\n")
}

func bodyOf(b []byte) io.ReadCloser { return io.NopCloser(bytes.NewReader(b)) }

// date is when the store answered.
func (c *call) date() time.Time {
	t, err := http.ParseTime(c.header.Get("Date"))
	if err != nil {
		return time.Time{}
	}
	return t
}
