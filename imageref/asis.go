// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package imageref

import "strings"

// isCanonical reports whether s is certainly the canonical form of itself: the registry, a repository, and a tag or a sha256 digest,
// all of it in lower case but the tag. Of other names it says nothing. Nearly all names that pods have are such, and the regular
// expressions of the reference package take fifty times as long.
func isCanonical(s string) bool {
	host, rest, found := strings.Cut(s, "/")
	if !found || !isRegistry(host) || host == "docker.io" || host == "index.docker.io" {
		return false
	}
	repository, digest, digested := strings.Cut(rest, "@")
	if digested {
		return isRepository(repository) && isSHA256(digest) && len(host)+len(repository) < maxName
	}
	repository, tag, tagged := strings.Cut(rest, ":")
	return tagged && isRepository(repository) && isTag(tag) && len(host)+len(repository) < maxName
}

// maxName is how long a name without tag and digest may be (reference.RepositoryNameTotalLengthMax).
const maxName = 255

// isRegistry takes names with a dot, and a port.
func isRegistry(s string) bool {
	name, port, ported := strings.Cut(s, ":")
	if !strings.Contains(name, ".") || ported && !consistsOf(port, isDigit) {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if !consistsOf(label, isLabel) || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
	}
	return true
}

// isRepository takes one or more parts between slashes: letters and digits, with a period, one or two underscores or any number of
// dashes between them.
func isRepository(s string) bool {
	between := true // nothing, a slash or a separator came last
	for i := 0; i < len(s); i++ {
		c := s[i]
		if isLower(c) || isDigit(c) {
			between = false
			continue
		}
		if between {
			return false
		}
		between = true
		switch c {
		case '/', '.':
		case '_':
			if i+1 < len(s) && s[i+1] == '_' {
				i++
			}
		case '-':
			for i+1 < len(s) && s[i+1] == '-' {
				i++
			}
		default:
			return false
		}
	}
	return !between
}

func isTag(s string) bool {
	return len(s) <= 128 && consistsOf(s, isTagged) && s[0] != '.' && s[0] != '-'
}

func isSHA256(s string) bool {
	hex, found := strings.CutPrefix(s, "sha256:")
	return found && len(hex) == 64 && consistsOf(hex, isHex)
}

// consistsOf reports whether s has at least one character, and only such.
func consistsOf(s string, is func(byte) bool) bool {
	for i := range len(s) {
		if !is(s[i]) {
			return false
		}
	}
	return s != ""
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
func isLower(c byte) bool { return 'a' <= c && c <= 'z' }
func isHex(c byte) bool   { return isDigit(c) || 'a' <= c && c <= 'f' }
func isLabel(c byte) bool { return isLower(c) || isDigit(c) || c == '-' }
func isTagged(c byte) bool {
	return isLabel(c) || 'A' <= c && c <= 'Z' || c == '_' || c == '.'
}
