package s3

import (
	"bytes"
	"context"
	"encoding/xml"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/blobdock/blobdock/driver"
)

// call is one method call: what was asked, and what the transport saw of it.
type call struct {
	op     driver.Op
	key    string
	cond   driver.Cond
	source string // the ETag that a copy's source must have
	region string // the one that requests are signed for

	sent   atomic.Bool // bytes of the request may have reached the store
	status int
	header http.Header
	reply  reply
}

// reply is what error documents tell beyond code and message.
type reply struct {
	Code      string
	Condition string // the header whose condition did not hold
	Region    string
	Endpoint  string
}

type callKey struct{}

// begin starts a call; requests under the context report to it.
func (b *Bucket) begin(ctx context.Context, op driver.Op, key string) (context.Context, *call) {
	c := &call{op: op, key: key, region: b.region}
	return context.WithValue(ctx, callKey{}, c), c
}

// parse reads an error document; what is none is left alone.
func (c *call) parse(body []byte) { _ = xml.Unmarshal(body, &c.reply) }

func bodyOf(b []byte) io.ReadCloser { return io.NopCloser(bytes.NewReader(b)) }

// date is when the store answered.
func (c *call) date() time.Time {
	t, err := http.ParseTime(c.header.Get("Date"))
	if err != nil {
		return time.Time{}
	}
	return t
}
