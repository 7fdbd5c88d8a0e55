package upload

import (
	"bytes"
	"context"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
)

// modelUpload is one upload: the content behind each id that a client was given.
type modelUpload struct {
	ids map[string][]byte
	// born tells how many ids there were before an id.
	born map[string]int
	// doomed are ids that a verdict may have ended for another reason than their content.
	doomed map[string]bool
	// verdicts are the contents on which there was a verdict. They ended no more than
	// the states on the way there.
	verdicts [][]byte
	// Requests that may end the upload: those under way, and how many there were. One
	// that failed in passing has ended nothing.
	ending, endings int
	ended           bool
	cancelled       bool // or so somebody has tried
	// attempts are what requests have tried to make the content.
	attempts [][]byte
}

func newModelUpload(first string) *modelUpload {
	u := &modelUpload{ids: make(map[string][]byte), born: make(map[string]int), doomed: make(map[string]bool)}
	u.ids[first] = nil
	return u
}

// add notes that a request has been told of another id.
func (u *modelUpload) add(p promise, name string, content []byte) {
	if _, known := u.ids[name]; known {
		return
	}
	// It may have been begun from what a verdict has ended meanwhile.
	u.doomed[name] = u.gone(p.id) || len(u.verdicts) != p.verdicts
	u.born[name], u.ids[name] = len(u.ids), content
}

// gone reports whether a verdict may have ended what the id names. A first id names no
// object that could be deleted.
func (u *modelUpload) gone(name string) bool {
	return u.doomed[name] || !isFirst(name) && slices.ContainsFunc(u.verdicts, func(v []byte) bool { return bytes.HasPrefix(v, u.ids[name]) })
}

// verdict notes the verdict on some content, or its success unknown to the client, by a
// request that began when there were so many ids. Those told of since may have been begun from what it has ended.
func (u *modelUpload) verdict(content []byte, ids int) {
	u.verdicts = append(u.verdicts, content)
	for name, n := range u.born {
		if n >= ids && !isFirst(name) {
			u.doomed[name] = true
		}
	}
}

func isFirst(name string) bool { return name[strings.LastIndexByte(name, '.')+1] == macMark }

// attempt notes what a request tries to make the upload's content.
func (m *model) attempt(u *modelUpload, content []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u.attempts = append(u.attempts, content)
}

// found notes an id that a status request has told of. Its content is the beginning of
// what some request has sent.
func (m *model) found(held promise, name string, size int64) {
	i, err := m.looker.parseID(name, "repo")
	if err != nil {
		m.t.Errorf("status tells of id %s: %v", name, err)
		return
	}
	if i.first() {
		return
	}
	st, err := m.looker.load(context.Background(), m.looker.folder("repo", i.uuid), "repo", i)
	if err != nil {
		if m.holds(held) {
			m.t.Errorf("status tells of %s, and its state: %v", name, err)
		}
		return
	}
	hs, err := resumeHashes(st.header.hashStates)
	if err != nil {
		m.t.Error(err)
		return
	}
	got, _ := hs.digest(digest.SHA256)
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range held.u.attempts {
		if int64(len(p)) >= size && digest.FromBytes(p[:size]) == got {
			held.u.add(held, name, p[:size:size])
			return
		}
	}
	m.t.Errorf("status tells of %s: nobody has sent that", name)
}

// promise is what an upload that nobody ends is held to while a request runs.
type promise struct {
	u  *modelUpload
	id string
	// How many of each there were.
	endings, ids, verdicts, damages int
	mayEnd                          bool
}

// begin notes that a request to an id begins; ends tells that it may end the upload.
func (m *model) begin(u *modelUpload, id string, ends bool) promise {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := promise{u, id, u.endings, len(u.ids), len(u.verdicts), m.storm.damaged(), u.ended || u.ending > 0}
	if ends {
		u.ending++
		u.endings++
		p.endings++
	}
	return p
}

// holds reports whether nobody else may have ended the upload since.
func (m *model) holds(p promise) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !p.mayEnd && !p.u.ended && p.u.endings == p.endings && !p.u.gone(p.id)
}

// damaged reports whether a state may have been delivered damaged since.
func (m *model) damaged(p promise) bool { return m.storm.damaged() != p.damages }

// end notes that a request which might end the upload is over.
func (m *model) end(p promise, ended bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p.u.ending--
	p.u.ended = p.u.ended || ended
}

// endBranch notes that such a request was answered by a verdict on some content.
func (m *model) endBranch(p promise, content []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p.u.ending--
	p.u.verdict(content, p.ids)
}
