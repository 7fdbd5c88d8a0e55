package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/blobdock/blobdock/bench/content"
)

// pull reads a blob, and compares what comes. It must come from where it is
// expected to: from the store itself, or through the registry.
func (v *visit) pull(ctx context.Context, c content.Content, redirected bool) error {
	res, err := v.do(ctx, http.MethodGet, v.blob(pulled, digestOf(c)), nil, nil, http.StatusOK)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	switch here := strings.HasSuffix(v.base, res.Request.URL.Host); {
	case redirected && here:
		return errors.New("the registry redirects no pulls")
	case !redirected && !here:
		return errors.New("the registry redirects all the same")
	}
	return c.Equal(res.Body, 0, c.Size)
}

// pullRanges reads ranges of size bytes, spread over a blob.
func (v *visit) pullRanges(ctx context.Context, c content.Content, size int64) error {
	for i := range int64(ranges) {
		if err := v.pullRange(ctx, c, i*(c.Size-size)/(ranges-1), size); err != nil {
			return err
		}
	}
	return nil
}

func (v *visit) pullRange(ctx context.Context, c content.Content, off, n int64) error {
	h := http.Header{"Range": {fmt.Sprintf("bytes=%d-%d", off, off+n-1)}}
	res, err := v.do(ctx, http.MethodGet, v.blob(pulled, digestOf(c)), h, nil, http.StatusPartialContent)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	return c.Equal(res.Body, off, off+n)
}
