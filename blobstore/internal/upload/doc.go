// Package upload is the upload engine: it turns the requests of an upload into immutable
// objects of a bucket.
//
// # Objects
//
// An upload is a chain of states. Each request that adds bytes writes new objects under
// random names and changes none that exists, so that objects can't race: two writers that
// go on from one state make two branches, of which each is consistent, and the digest
// decides at commit. All objects of an upload lie in one folder:
//
//	p/<random>           a piece: content, and nothing else
//	s/<offset>-<token>   a state: how the upload stands after offset bytes
//	s/end                the mark of a DELETE
//
// A state names the pieces of the content's beginning, and holds the bytes behind the
// last piece: those of its own request in its body, and earlier ones as references to the
// states that brought them. Few and small bytes are merged as a log-structured tree does
// it, so that an upload of tiny requests rewrites each byte a few times at most.
//
// # Ids
//
// A [Writer]'s id changes with each answer and names the state to go on from. The first
// id names no object: a MAC makes it authentic, and beginning an upload costs no request.
//
// # Ends
//
// Only a verdict ends an upload: a digest or size that is wrong, an algorithm that is not
// supported, or the client's DELETE. All else leaves every acknowledged byte, so that the
// request can be sent again.
package upload
