package upload

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// id names the state that an upload goes on from: <uuid>.<offset>.<token>.
type id struct {
	uuid   string // version 7
	offset int64
	token  string
}

func (i id) String() string { return fmt.Sprintf("%s.%d.%s", i.uuid, i.offset, i.token) }

// started is when the upload was created, by the clock of the process that did so.
func (i id) started() time.Time {
	u, err := uuid.Parse(i.uuid)
	if err != nil {
		return time.Time{}
	}
	sec, nsec := u.Time().UnixTime()
	return time.Unix(sec, nsec).UTC()
}

// A state's token is that of the state before it and one of its own: the names of an
// upload's states tell its branches.
const (
	tokenHalf = 16 // characters of base32: 80 bits
	tokenLen  = 2 * tokenHalf
	noParent  = "aaaaaaaaaaaaaaaa"
	// macMark begins the tokens that name no object. It is no character of base32.
	macMark = '0'
)

var encoding32 = base32.StdEncoding.WithPadding(base32.NoPadding)

func random() string { return strings.ToLower(rand.Text()[:tokenHalf]) }

// own is the half of the token that children repeat.
func (i id) own() string {
	if i.first() {
		return noParent
	}
	return i.token[tokenHalf:]
}

// parent is the half that names the state before.
func (i id) parent() string { return i.token[:tokenHalf] }

// first reports whether the id names no state.
func (i id) first() bool { return i.token[0] == macMark }

// newID is the id of an upload without bytes.
func (e *Engine) newID(repo string) (id, error) {
	u, err := uuid.NewV7()
	if err != nil {
		return id{}, fmt.Errorf("upload id: %w", err)
	}
	if i, ok := e.firstID(u.String(), repo); ok {
		return i, nil
	}
	return id{uuid: u.String(), token: string(macMark) + strings.Repeat("a", tokenLen-1)}, nil // leads nowhere
}

// firstID is the first id of the upload uuid, where first ids can be made authentic.
func (e *Engine) firstID(uuid, repo string) (id, bool) {
	secret := e.secret.Load()
	if secret == nil {
		return id{}, false
	}
	return id{uuid: uuid, token: mac(*secret, uuid, repo)}, true
}

// mac is the token of an upload's first id.
func mac(secret []byte, uuid, repo string) string {
	h := hmac.New(sha256.New, secret)
	fmt.Fprintf(h, "blobdock upload\x00%s\x00%s", uuid, repo)
	return string(macMark) + strings.ToLower(encoding32.EncodeToString(h.Sum(nil)))[:tokenLen-1]
}

// parseID reads an id of repo's. ErrUnknown for all that this engine never gave out for
// it, as far as that can be told without a request.
func (e *Engine) parseID(s, repo string) (id, error) {
	parts := strings.Split(s, ".")
	if len(parts) != 3 || len(parts[0]) != 36 || len(parts[2]) != tokenLen {
		return id{}, ErrUnknown
	}
	u, err := uuid.Parse(parts[0])
	off, err2 := strconv.ParseInt(parts[1], 10, 64)
	if err != nil || err2 != nil || u.Version() != 7 || u.String() != parts[0] || off < 0 || strconv.FormatInt(off, 10) != parts[1] {
		return id{}, ErrUnknown
	}
	i := id{parts[0], off, parts[2]}
	if i.first() {
		secret := e.secret.Load()
		if off != 0 || secret == nil || !hmac.Equal([]byte(i.token), []byte(mac(*secret, i.uuid, repo))) {
			return id{}, ErrUnknown
		}
		return i, nil
	}
	for _, c := range i.token {
		if (c < 'a' || c > 'z') && (c < '2' || c > '7') {
			return id{}, ErrUnknown
		}
	}
	return i, nil
}
