package upload

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"
)

// folder is where the objects of one upload lie; it ends in a slash. The hash of the
// repository's name is in it, so that an id leads nowhere in another repository.
func (e *Engine) folder(repo, uuid string) string {
	h := sha256.Sum256([]byte(repo))
	return fmt.Sprintf("%s%s-%x/", e.layout.Uploads(), uuid, h[:8])
}

const (
	statesDir = "s/"
	piecesDir = "p/"
	// scratchDir has what a store joins pieces to on the way to the blob.
	scratchDir = "c/"
	endName    = "end"
)

func (i id) stateKey(folder string) string {
	return fmt.Sprintf("%s%s%019d-%s", folder, statesDir, i.offset, i.token)
}

func endKey(folder string) string { return folder + statesDir + endName }

// newPieceKey is that of a piece which does not exist yet.
func newPieceKey(folder string) string { return folder + piecesDir + random() + random() }

// parseStateKey reads the name of a state's object in a folder.
func parseStateKey(folder, uuid, key string) (id, bool) {
	name, ok := strings.CutPrefix(key, folder+statesDir)
	off, token, ok2 := strings.Cut(name, "-")
	if !ok || !ok2 || len(token) != tokenLen {
		return id{}, false
	}
	n, err := strconv.ParseInt(off, 10, 64)
	return id{uuid, n, token}, err == nil && n >= 0
}
