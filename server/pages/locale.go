package pages

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
)

// localeForm is what a locale looks like, such as "de" or "zh-Hans-CN". Nothing else may become part of a path.
var localeForm = regexp.MustCompile(`^[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8})*$`)

const maxLocale = 64

// localeOf returns the locale that a request asks for; "" for none.
func localeOf(r *Request) string {
	locale := r.Query["locale"]
	if locale == "" {
		locale = r.Form["locale"]
	}
	if locale == "" {
		locale = r.Locale
	}
	if len(locale) > maxLocale || !localeForm.MatchString(locale) {
		return ""
	}
	return locale
}

// localized returns the folder, with a slash at its end, in which a page is there for a locale, or else for its
// language; "" when there is none.
func (p *Pages) localized(file, locale string) string {
	if locale == "" {
		return ""
	}
	language, _, _ := strings.Cut(locale, "-")
	for _, folder := range []string{locale, language} {
		if _, ok := p.read(folder + "/" + file); ok {
			return folder + "/"
		}
	}
	return ""
}

// loadTranslations reads the file of translated texts, {"en":{"translation":{"greeting":"Hello"}}}.
func (p *Pages) loadTranslations() error {
	if p.o.LocalizationJSONPath == "" {
		return nil
	}
	data, err := os.ReadFile(p.o.LocalizationJSONPath)
	if err == nil {
		err = json.Unmarshal(data, &p.translations)
	}
	if err != nil {
		return fmt.Errorf("cannot read pages.localizationJsonPath: %w", err)
	}
	return nil
}

// texts returns the translated texts for a locale, with the placeholders in them filled in. Without a locale, or without
// texts for it or its language, they are those of the fallback.
func (p *Pages) texts(locale string, ps params) map[string]any {
	if locale == "" {
		locale = p.o.LocalizationFallbackLocale
	}
	language, _, _ := strings.Cut(locale, "-")
	values := map[string]any{}
	for _, param := range ps {
		values[param[0]] = param[1]
	}
	for _, name := range []string{locale, language, p.o.LocalizationFallbackLocale} {
		if resource, ok := p.translations[name].(map[string]any); ok {
			translation, _ := resource["translation"].(map[string]any)
			texts, _ := p.filled(translation, values).(map[string]any)
			return texts
		}
	}
	return nil
}

// filled returns a JSON value with the placeholders in its texts filled in.
func (p *Pages) filled(v any, values map[string]any) any {
	switch v := v.(type) {
	case string:
		text, err := p.fill(v, values)
		if err != nil {
			return v
		}
		return string(text)
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, e := range v {
			out[name] = p.filled(e, values)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = p.filled(e, values)
		}
		return out
	}
	return v
}
