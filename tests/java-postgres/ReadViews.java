import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Timestamp;

/** Reads views with the JDBC driver of Postgres, the way programs that are built on it do, and prints what it finds. */
public class ReadViews {
    public static void main(String[] arguments) throws SQLException {
        String url = "jdbc:postgresql://" + arguments[0] + "/tidemill?user=me";
        try (Connection connection = DriverManager.getConnection(url)) {
            prepared(connection);
            catalogue(connection.getMetaData());
            cursor(connection);
        }
    }

    /** Often enough that the driver goes over to a statement with a name and to binary values. */
    private static void prepared(Connection connection) throws SQLException {
        String query = "SELECT store, hour, n, total, mean FROM by_hour WHERE store = ? AND n > ? AND hour > ? AND total < ?";
        String first = null;
        try (PreparedStatement statement = connection.prepareStatement(query)) {
            for (int time = 0; time < 8; time++) {
                statement.setString(1, "BLR");
                statement.setLong(2, 1);
                statement.setTimestamp(3, new Timestamp(0));
                statement.setBigDecimal(4, new BigDecimal("100.5"));
                ResultSet rows = statement.executeQuery();
                rows.next();
                String row = rows.getString(1) + " " + rows.getTimestamp(2).toInstant() + " " + rows.getLong(3) + " "
                    + rows.getBigDecimal(4) + " " + rows.getDouble(5);
                if (first == null) {
                    first = row;
                    System.out.println(row);
                    System.out.println(statement.getWarnings().getMessage());
                } else if (!first.equals(row)) {
                    throw new SQLException("the row was " + first + " and is now " + row);
                }
            }
        }
    }

    private static void catalogue(DatabaseMetaData about) throws SQLException {
        ResultSet tables = about.getTables(null, "public", "%", null);
        while (tables.next()) {
            System.out.println("table " + tables.getString("TABLE_NAME") + " " + tables.getString("TABLE_TYPE"));
        }
        ResultSet columns = about.getColumns(null, "public", "by_hour", "%");
        while (columns.next()) {
            System.out.println("column " + columns.getString("COLUMN_NAME") + " " + columns.getString("TYPE_NAME"));
        }
        ResultSet databases = about.getCatalogs();
        while (databases.next()) {
            System.out.println("database " + databases.getString(1));
        }
        int keys = count(about.getPrimaryKeys(null, "public", "by_hour"))
            + count(about.getIndexInfo(null, "public", "by_hour", false, false));
        System.out.println("keys " + keys);
        System.out.println("a key has " + about.getMaxColumnsInIndex() + " columns");
    }

    private static void cursor(Connection connection) throws SQLException {
        connection.setReadOnly(true);
        connection.setAutoCommit(false);
        try (Statement statement = connection.createStatement()) {
            statement.setFetchSize(2);
            System.out.println("by twos " + count(statement.executeQuery("SELECT n FROM by_hour")));
            connection.commit();
            try {
                statement.executeQuery("SELECT 1 / 0");
            } catch (SQLException refused) {
                System.out.println("refused " + refused.getSQLState());
            }
            connection.rollback();
            ResultSet one = statement.executeQuery("SELECT 1");
            one.next();
            System.out.println("and goes on " + one.getInt(1));
            connection.commit();
        }
    }

    private static int count(ResultSet rows) throws SQLException {
        int count = 0;
        while (rows.next()) {
            count++;
        }
        return count;
    }
}
