package io.walroute.settings;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

/** The file at the top level against the declared settings. Values that a user has put in don't matter. */
@DisplayNameGeneration(ReplaceUnderscores.class)
class ApplicationPropertiesTest {
    private static final Pattern PAIR = Pattern.compile("#?([A-Za-z][\\w.-]*)=(.*)");

    private final List<String> lines = Files.readAllLines(Path.of("application.properties"));

    ApplicationPropertiesTest() throws IOException {}

    @Test
    void it_holds_every_setting_below_its_description() {
        for (Setting setting : Setting.values()) {
            int comment = lines.indexOf(comment(setting));
            assertThat(comment)
                    .as("the line above %s should be: %s", key(setting), comment(setting))
                    .isNotNegative();
            var pair = PAIR.matcher(lines.get(comment + 1));
            assertThat(pair.matches()).as(lines.get(comment + 1)).isTrue();
            assertThat(pair.group(1)).isEqualTo(key(setting));
        }
    }

    @Test
    void what_is_commented_out_is_the_default_or_else_the_example() {
        for (String line : lines) {
            var pair = PAIR.matcher(line);
            if (line.startsWith("#") && pair.matches()) {
                Setting setting = Setting.ofKey(pair.group(1)).orElseThrow().setting();
                assertThat(pair.group(2))
                        .as(line)
                        .isEqualTo(setting.defaultValue().or(setting::example).orElseThrow());
            }
        }
    }

    @Test
    void it_holds_nothing_else_of_walroutes() {
        List<String> known = new ArrayList<>();
        for (Setting setting : Setting.values()) {
            known.add(key(setting));
        }
        assertThat(lines.stream()
                        .map(PAIR::matcher)
                        .filter(pair -> pair.matches())
                        .map(pair -> pair.group(1)))
                .filteredOn(key -> !key.startsWith("camel."))
                .containsExactlyElementsOf(known);
    }

    @Test
    void the_readme_names_only_settings_that_there_are() throws IOException {
        String readme = Files.readString(Path.of("README.md"));
        List<String> keys = Pattern.compile("`((walroute\\.|[A-Z]+_)[\\w.-]+)(=[^`]*)?`")
                .matcher(readme)
                .results()
                .map(found -> found.group(1).replace("NAME", "partner").replace("TABLE", "listings"))
                .filter(key -> !key.equals("WALROUTE_SOME_KEY") && !key.equals("walroute.some-key"))
                .toList();

        assertThat(keys).contains("walroute.tables");
        assertThat(keys)
                .allSatisfy(key -> assertThat(Setting.ofKey(key).isPresent()
                                || Setting.ofEnvironment(key).isPresent())
                        .as(key)
                        .isTrue());
    }

    private static String comment(Setting setting) {
        String sentence = setting.description().replaceFirst("\\.$", "");
        return "# " + sentence + (setting.kind() == Kind.HOOK ? "." : " (" + setting.type() + ").");
    }

    private static String key(Setting setting) {
        return setting.key()
                .replace("<table>", "listings")
                .replace("<column>", "seller_address")
                .replace("<name>", "partner")
                .replace("<sink>", "hook")
                .replace("<topic>", "listings.price_changed")
                .replace("<header>", "X-Source");
    }

    /** Prints the file anew, for whoever declares a setting. */
    public static void main(String[] args) {
        System.out.println(
                "# Every setting of walroute. Those behind a # are not set: what they show is the default, or an"
                        + " example where there is none.");
        System.out.println(
                "# Environment variables override this file: DATABASE_URL as it stands here, walroute.some-key as"
                        + " WALROUTE_SOME_KEY.");
        System.out.println("# camel.* keys go to Camel as they are, other keys to routes that name them: {{key}}.");
        for (Setting setting : Setting.values()) {
            System.out.println();
            System.out.println(comment(setting));
            System.out.println("#" + key(setting) + "="
                    + setting.defaultValue().or(setting::example).orElseThrow());
        }
    }
}
