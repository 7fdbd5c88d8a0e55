package file

import (
	"fmt"
	"io/fs"

	"github.com/blobdock/blobdock/driver"
)

// contentType is that of every object, as files have none.
const contentType = "application/octet-stream"

// etag tells versions of an object apart; the package says how.
func etag(info fs.FileInfo) string {
	return fmt.Sprintf("\"%x-%x-%x\"", inode(info), info.ModTime().UnixNano(), info.Size())
}

// object describes the file. Its ETag is its version.
func object(key string, info fs.FileInfo) driver.Object {
	tag := etag(info)
	return driver.Object{
		Key:         key,
		Size:        info.Size(),
		ETag:        tag,
		Version:     tag,
		ModTime:     info.ModTime().UTC(),
		ContentType: contentType,
	}
}

// matches is a Mismatch unless the file has the ETag want; "" matches all.
func matches(info fs.FileInfo, want string) error {
	if have := etag(info); want != "" && have != want {
		return fmt.Errorf("want ETag %s, have %s: %w", want, have, driver.Mismatch)
	}
	return nil
}
