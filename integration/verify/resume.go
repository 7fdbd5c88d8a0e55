package verify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
)

// pushAfterKill pushes in PATCHes. The replica dies in the midst of the second, once a
// piece of it is stored; another replica tells how far the upload has come, and gets the
// rest.
func pushAfterKill(ctx context.Context, w *walk) (string, error) {
	victim, err := w.cluster.serve(ctx, blobstore.Options{})
	if err != nil {
		return "", err
	}
	defer victim.stop()
	part := w.cluster.parts
	data := random(13, 4*part)
	d := digest.FromBytes(data)
	at, err := w.at(victim).begin(ctx)
	if err != nil {
		return "", err
	}
	acknowledged := part + part/2
	if at, err = patch(ctx, at, data[:acknowledged]); err != nil {
		return "", err
	}
	victim.life.killAfter(driver.OpPut)
	// As many bytes as fill another piece, and then silence.
	body := &cutBody{Reader: bytes.NewReader(data[acknowledged : 3*part+part/2]), dead: victim.life.dead, ctx: ctx}
	if _, err := send(ctx, http.MethodPatch, at, body, 4*part-acknowledged, http.StatusAccepted); err == nil {
		return "", errors.New("the killed replica acknowledges a PATCH")
	}
	if !victim.life.killed() {
		return "", errors.New("no piece of the second PATCH was stored")
	}
	if at, err = moved(at, w.two.url); err != nil {
		return "", err
	}
	offset, at, err := status(ctx, at)
	if err != nil {
		return "", err
	}
	if offset < acknowledged || offset > int64(len(data)) {
		return "", fmt.Errorf("the upload is at %d, of which %d were acknowledged: %w", offset, acknowledged, driver.Corrupt)
	}
	detail := fmt.Sprintf("%s, continued at %d", bytesOf(data), offset)
	if at, err = patch(ctx, at, data[offset:]); err != nil {
		return detail, err
	}
	if err := commit(ctx, at, d, nil); err != nil {
		return detail, err
	}
	got, err := send(ctx, http.MethodGet, w.at(w.two).blob(d), nil, 0, http.StatusOK)
	if err != nil {
		return detail, err
	}
	return detail, compare(got.body, d)
}

// cutTime is how long a cut body waits for the replica to die.
const cutTime = time.Minute

// cutBody delivers its bytes and then breaks off, once the replica is dead.
type cutBody struct {
	io.Reader
	dead <-chan struct{}
	ctx  context.Context // io.Reader has no other place for it
}

func (b *cutBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if !errors.Is(err, io.EOF) {
		return n, err
	}
	select {
	case <-b.dead:
	case <-b.ctx.Done():
	case <-time.After(cutTime):
	}
	return n, io.ErrUnexpectedEOF
}
