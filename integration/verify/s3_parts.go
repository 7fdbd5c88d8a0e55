package verify

import (
	"context"
	"errors"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/blobdock/blobdock/driver"
)

// multipart is an upload by the SDK's own client.
type multipart struct {
	s3Asker
	key       *string
	id        *string
	algorithm types.ChecksumAlgorithm // of each part's checksum; "" is none
	parts     []types.CompletedPart
}

// begin begins an upload with checksums of the parts, or none.
func (a s3Asker) begin(ctx context.Context, key string, algorithm types.ChecksumAlgorithm, kind types.ChecksumType) (*multipart, reply) {
	m := &multipart{s3Asker: a, key: aws.String(a.full(key)), algorithm: algorithm}
	a.uploads.add(key)
	r := a.call(ctx, func(ctx context.Context) error {
		out, err := a.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
			Bucket: &a.bucket, Key: m.key, ChecksumAlgorithm: algorithm, ChecksumType: kind,
		})
		if err == nil {
			m.id = out.UploadId
		}
		return err
	})
	if r.err == nil && m.id == nil {
		r.err = errors.New("a success without an upload id")
	}
	return m, r
}

// send sends part n.
func (m *multipart) send(ctx context.Context, n int32, data []byte) reply {
	in := &s3.UploadPartInput{
		Bucket: &m.bucket, Key: m.key, UploadId: m.id, PartNumber: &n, Body: section(data), ChecksumAlgorithm: m.algorithm,
	}
	if m.algorithm == types.ChecksumAlgorithmCrc32c {
		in.ChecksumCRC32C = aws.String(checksumOf("crc32c", data))
	}
	return m.call(ctx, func(ctx context.Context) error {
		out, err := m.client.UploadPart(ctx, in)
		if err == nil {
			m.parts = append(m.parts, types.CompletedPart{ETag: out.ETag, PartNumber: &n, ChecksumCRC32C: in.ChecksumCRC32C})
		}
		return err
	})
}

// complete completes the upload, and aborts one that can't be completed.
func (m *multipart) complete(ctx context.Context) reply {
	r := m.call(ctx, func(ctx context.Context) error {
		_, err := m.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
			Bucket: &m.bucket, Key: m.key, UploadId: m.id, MultipartUpload: &types.CompletedMultipartUpload{Parts: m.parts},
		})
		return err
	})
	if r.err != nil {
		m.abort(ctx)
	}
	return r
}

func (m *multipart) abort(ctx context.Context) {
	_ = m.call(context.WithoutCancel(ctx), func(ctx context.Context) error {
		_, err := m.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &m.bucket, Key: m.key, UploadId: m.id})
		return err
	}) // the run's end finds what stays
}

// named is the parts of a completion.
func named(parts ...driver.Part) *types.CompletedMultipartUpload {
	list := make([]types.CompletedPart, len(parts))
	for i, p := range parts {
		list[i] = types.CompletedPart{PartNumber: aws.Int32(int32(p.Number)), ETag: aws.String(p.ETag)}
	}
	return &types.CompletedMultipartUpload{Parts: list}
}

// try sends parts and completes the upload.
func (a s3Asker) try(ctx context.Context, key string, algorithm types.ChecksumAlgorithm, kind types.ChecksumType, numbers []int32, parts ...[]byte) (finding, error) {
	m, r := a.begin(ctx, key, algorithm, kind)
	if r.err != nil {
		f, err := r.finding("")
		f.detail = "by CreateMultipartUpload"
		return f, err
	}
	for i, n := range numbers {
		if r := m.send(ctx, n, parts[i]); r.err != nil {
			m.abort(ctx)
			f, err := r.finding("")
			f.detail = "by UploadPart"
			return f, err
		}
	}
	return m.complete(ctx).finding(accepted)
}

// gaps completes an upload of parts 1 and 3 with checksums of one kind.
func (a s3Asker) gaps(algorithm types.ChecksumAlgorithm, kind types.ChecksumType) func(context.Context, string) (finding, error) {
	return func(ctx context.Context, key string) (finding, error) {
		return a.try(ctx, key+"/object", algorithm, kind, []int32{1, 3}, random(1, partSize(a.features)), random(3, 10))
	}
}

// unnamedPart completes an upload of two parts, of which it names the first.
func (a s3Asker) unnamedPart(ctx context.Context, key string) (finding, error) {
	key += "/object"
	first := random(1, partSize(a.features))
	m, r := a.begin(ctx, key, "", "")
	if r.err != nil {
		return r.finding("")
	}
	for i, data := range [][]byte{first, random(2, 10)} {
		if r := m.send(ctx, int32(i+1), data); r.err != nil {
			m.abort(ctx)
			return r.finding("")
		}
	}
	m.parts = m.parts[:1]
	f, err := m.complete(ctx).finding(accepted)
	if err != nil || f.found != accepted {
		return f, err
	}
	got, err := a.content(ctx, key)
	if err == nil && got != string(first) {
		f.found = "accepted, and the object has other bytes"
	}
	return f, err
}

func (a s3Asker) unequalParts(ctx context.Context, key string) (finding, error) {
	size := partSize(a.features)
	return a.try(ctx, key+"/object", "", "", []int32{1, 2, 3}, random(1, size), random(2, size+1), random(3, 10))
}

// smallestPart tries sizes from 1 byte on.
func (a s3Asker) smallestPart(ctx context.Context, key string) (finding, error) {
	least := a.features.Parts.MinSize
	var last finding
	for _, size := range []int64{1, 1 << 20, least - 1, least} {
		if size < 1 || size > least {
			continue
		}
		f, err := a.try(ctx, key+"/object", "", "", []int32{1, 2}, random(1, size), random(2, 10))
		switch {
		case err != nil:
			return f, err
		case f.found == accepted:
			return finding{found: driver.FormatBytes(size), status: last.status, code: last.code}, nil
		}
		last = f
	}
	if last.status == 0 {
		last.status = http.StatusOK
	}
	return finding{found: "more than " + driver.FormatBytes(least), status: last.status, code: last.code}, nil
}
